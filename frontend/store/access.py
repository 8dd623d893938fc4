"""Who may open a page, and what a refusal of the market looks like on it."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from accounts.errors import AuthError, RoleMissing
from accounts.models import Role
from accounts.tenancy import current_organization, require_role
from frontend.store.refusals import refusal_told
from marketplace.common.errors import DomainError, NotFound

View = Callable[..., HttpResponseBase]


def for_members(view: View) -> View:
    """A page for people who belong to an organization; strangers are asked to sign in and come back."""
    return _guarded(view, current_organization)


def for_providers(view: View) -> View:
    """A page for people who sell for their organization."""
    return _guarded(view, lambda request: require_role(request, Role.PROVIDER))


def _guarded(view: View, check: Callable[[HttpRequest], Any]) -> View:
    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        try:
            check(request)
            response = view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(error.detail) from error
        except AuthError:
            return redirect_to_login(request.get_full_path())
        except RoleMissing as error:
            raise PermissionDenied(error.detail) from error
        patch_cache_control(response, private=True, no_cache=True)
        return response

    return wrapped


def attempt(request: HttpRequest, act: Callable[[], Any], *, done: str = "", back: str = "/") -> bool:
    """Do `act` and say `done`; a refusal of the market becomes a message and False. NotFound passes through.

    `back` is the page to come back to from a top-up, where money was missing.
    """
    try:
        act()
    except (NotFound, RoleMissing, AuthError):
        raise
    except DomainError as error:
        messages.error(request, refusal_told(error, back))
        return False
    if done:
        messages.success(request, done)
    return True
