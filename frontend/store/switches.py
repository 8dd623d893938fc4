"""Small choices that every page offers: theme, language, and the accounts of a sample market."""

from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST

from accounts.models import Membership, User
from frontend.context import SAMPLE_ROLES, THEMES, sample_accounts

YEAR_SECONDS = 365 * 24 * 3600
LANGUAGES = frozenset(code for code, _name in settings.LANGUAGES)
LANDINGS = {"buyer": "/", "provider": "/console/", "operator": "/admin/"}


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep light or dark in a cookie; anything else gives the choice back to the device."""
    answer = _back(request)
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        answer.set_cookie("theme", theme, max_age=YEAR_SECONDS, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    else:
        answer.delete_cookie("theme")
    return answer


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the language in a cookie and, for a person signed in, in the account."""
    answer = _back(request)
    language = request.POST.get("language", "")
    if language not in LANGUAGES or not check_for_language(language):
        return answer
    answer.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=YEAR_SECONDS,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    if isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(language=language)
    return answer


@require_POST
def choose_sample_account(request: HttpRequest, role: str) -> HttpResponse:
    """Sign in as the sample market's buyer, provider or operator. On a real market there is no such page."""
    account = sample_accounts().get(role) if role in SAMPLE_ROLES else None
    if account is None:
        raise Http404
    member = (
        Membership.objects.filter(user__email=account["email"], role=role, organization__sample=True)
        .select_related("user")
        .first()
    )
    if member is None:
        raise Http404
    login(request, member.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return HttpResponseRedirect(LANDINGS[role])


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """To the page the form came from, never to another host."""
    to = request.POST.get("next", "/")
    safe = url_has_allowed_host_and_scheme(to, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(to if safe else "/")
