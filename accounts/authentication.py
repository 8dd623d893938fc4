"""Who is asking: the key in `Authorization: Bearer`, or the person of the session."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from accounts.errors import AuthError, KeyRevoked
from accounts.keys import MalformedKey, is_same_secret, parse_key
from accounts.models import ApiKey, User
from accounts.services import touch_key
from marketplace.common.clock import utc_now

SCHEME = "bearer"


def key_of_header(request: HttpRequest | Request) -> ApiKey | None:
    """The usable key that the request carries, or None when it carries none.

    Raises AuthError for a key that is malformed or unknown, KeyRevoked for one that may not be used any more. The row
    is read for each request, so a revoked key is refused from the next one on.
    """
    scheme, _, text = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != SCHEME:
        return None
    try:
        claim = parse_key(text.strip())
    except MalformedKey as error:
        raise AuthError(str(error)) from error
    now = utc_now()
    rows = ApiKey.objects.select_related("organization", "created_by")
    key = rows.filter(public_id=claim.public_id, live=claim.live).first()
    if key is None or not is_same_secret(claim.secret, key.secret_sha256):
        raise AuthError("this API key is not known")
    if not key.is_usable(now):
        raise KeyRevoked("this API key has been revoked or has expired", hint="create a new key", key=key.public_id)
    touch_key(key=key, now=now)
    return key


class ApiKeyAuthentication(BaseAuthentication):
    """`request.auth` is the ApiKey, `request.user` the person who made it (anonymous for a key nobody made)."""

    def authenticate(self, request: Request) -> tuple[User | AnonymousUser, ApiKey] | None:
        key = key_of_header(request)
        return None if key is None else (key.created_by or AnonymousUser(), key)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="joulemart"'


class SignedInAuthentication(SessionAuthentication):
    """The person of the session; every write must carry the CSRF token."""

    def enforce_csrf(self, request: Any) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise AuthError(
                "a signed-in browser must send the CSRF token with a write", hint="header X-CSRFToken, or an API key"
            ) from error
