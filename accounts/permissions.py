"""Default deny: a view says who may call it, or nobody may.

A view declares `public = True`, or `scopes = {"GET": "offers:read", …}` for keys, and optionally
`roles = {Role.PROVIDER}`, or by method `{"POST": {Role.PROVIDER}}`, for keys and people alike.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.errors import AuthError, ScopeMissing
from accounts.scopes import AGENT, SCOPES, allows
from accounts.tenancy import key_of, require_role

if TYPE_CHECKING:
    from rest_framework.views import APIView  # at run time REST framework is still loading this module's class

SAME_AS = {"HEAD": "GET"}


class ScopedPermission(BasePermission):
    """Let a call through when its view says so; refuse with the reason, never with a bare False."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """True, or AuthError (401), ScopeMissing or RoleMissing (403)."""
        if is_public(view):
            return True
        if key_of(request) is None and not request.user.is_authenticated:
            raise AuthError("sign in, or send an API key as Authorization: Bearer")
        method = SAME_AS.get(request.method or "", request.method or "")
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True  # REST framework answers: a description, or 405
        _check_scope(request, view, method)
        _check_roles(request, view, method)
        return True


def is_public(view: Any) -> bool:
    """Whether the view lets strangers in."""
    return getattr(view, "public", False) is True


def scopes_of(view: Any) -> Mapping[str, str]:
    """The scope that each method of the view needs; raises ImproperlyConfigured when one is missing or unknown."""
    declared: Mapping[str, str] = getattr(view, "scopes", {})
    handled = [name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)]
    missing = [name for name in handled if declared.get(name) not in SCOPES]
    if missing:
        raise ImproperlyConfigured(f"{view} must declare a known scope for {', '.join(missing)}, or public = True")
    return declared


def _check_scope(request: Request, view: "APIView", method: str) -> None:
    """A key needs the method's scope; a person's session has all scopes but `agent`."""
    scope = scopes_of(view)[method]
    key = key_of(request)
    if key is None:
        if scope == AGENT:
            raise ScopeMissing("only an agent's key may call this", wanted=scope)
        return
    if not allows(key.scopes, scope):
        raise ScopeMissing(f"this key lacks the scope {scope}", wanted=scope, have=sorted(key.scopes))


def _check_roles(request: Request, view: "APIView", method: str) -> None:
    roles: Mapping[str, Collection[str]] | Collection[str] = getattr(view, "roles", ())
    wanted = roles.get(method, ()) if isinstance(roles, Mapping) else roles
    if wanted:
        require_role(request, *wanted)
