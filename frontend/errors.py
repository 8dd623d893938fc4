"""Pages for requests that cannot be answered. Under /api/ the same facts are problem+json."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from marketplace.common.problems import problem_of_code

API = "/api/"
CODES = {400: "malformed_body", 403: "role_missing", 404: "not_found"}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request itself is broken."""
    return _answer(request, 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: signed in, without the role the page needs."""
    return _answer(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: no such page, or an object of somebody else."""
    return _answer(request, 404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form without its token, mostly one kept open over a sign-in."""
    return render(request, "403_csrf.html", status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: rendered without a request, so that a broken database cannot break the page about it."""
    if request.path.startswith(API):
        return problem_of_code("internal_error", request)
    return HttpResponse(render_to_string("500.html"), status=500)


def _answer(request: HttpRequest, status: int) -> HttpResponse:
    if request.path.startswith(API):
        return problem_of_code(CODES[status], request)
    return render(request, f"{status}.html", status=status)
