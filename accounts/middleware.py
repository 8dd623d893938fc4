"""The organization and the language of the signed-in person, and the operators' second factor."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.tenancy import chosen_organization

Handler = Callable[[HttpRequest], HttpResponseBase]
TOLD = "told_of_missing_second_factor"


class CurrentOrganizationMiddleware:
    """`request.organization` is the organization a signed-in person acts for, else None.

    The language saved in the account wins over the browser's. A request without a session costs no query.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.organization = None  # type: ignore[attr-defined]  # pages and their context read it
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            request.organization = chosen_organization(request)  # type: ignore[attr-defined]
            if request.user.language in dict(settings.LANGUAGES):
                translation.activate(request.user.language)
                request.LANGUAGE_CODE = translation.get_language()
        return self.get_response(request)


class OperatorSecondFactorMiddleware:
    """The admin opens only to accounts with a second factor, or with a notice where the market waives it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Send an operator without a second factor to where one is set up."""
        match = request.resolver_match
        inside = request.path.startswith(reverse("admin:index"))  # the desk's own pages are there too
        if match is None or not inside or match.url_name in {"login", "logout", "jsi18n"}:
            return None
        if not (request.user.is_authenticated and request.user.is_staff) or is_mfa_enabled(request.user):
            return None
        if settings.REQUIRE_OPERATOR_MFA:
            messages.warning(request, _("Operators need a second factor: set one up, then open the admin again."))
            return HttpResponseRedirect(f"{reverse('mfa_index')}?{urlencode({'next': request.get_full_path()})}")
        if TOLD not in request.session:
            request.session[TOLD] = True
            messages.warning(request, _("Sample market: you are in the admin without a second factor."))
        return None
