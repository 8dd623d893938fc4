"""Problem details (RFC 9457): whatever goes wrong becomes one JSON shape, with a code a program can rely on.

`problem_response` is the exception handler of REST framework; `problem_json` and `problem_of_code` serve plain Django
views under /api/. Nothing internal leaves: an unexpected error is logged with its stack and answered with its
`request_id` alone.
"""

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions as rest
from rest_framework.response import Response

from marketplace.common.codes import CODES
from marketplace.common.errors import DomainError, ValidationFailed
from marketplace.common.parsing import problems_of

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 1
# REST framework's and Django's own refusals, in the words of the API; the first class that fits decides.
FOREIGN: list[tuple[type[Exception], str]] = [
    (rest.NotAuthenticated, "authentication_required"),
    (rest.AuthenticationFailed, "authentication_required"),
    (rest.ParseError, "malformed_body"),
    (rest.NotFound, "not_found"),
    (rest.MethodNotAllowed, "method_not_allowed"),
    (rest.NotAcceptable, "not_acceptable"),
    (rest.UnsupportedMediaType, "unsupported_media_type"),
    (rest.Throttled, "rate_limited"),
    (rest.PermissionDenied, "role_missing"),
    (Http404, "not_found"),
    (PermissionDenied, "role_missing"),
    (RequestDataTooBig, "too_large"),
    (SuspiciousOperation, "malformed_body"),
    (OperationalError, "unavailable"),
    (DataError, "invalid_parameter"),  # a value that no column takes, such as a text with NUL
]


def problem_response(exc: Exception, context: dict[str, Any]) -> Response:
    """The answer to `exc`, raised in the REST framework view of `context`."""
    request: HttpRequest = context["request"]._request
    body, headers = describe(exc, request)
    response = Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)
    response.exception = True
    return response


def problem_json(exc: Exception, request: HttpRequest) -> HttpResponse:
    """The answer to `exc`, raised in a plain Django view."""
    body, headers = describe(exc, request)
    return JsonResponse(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def problem_of_code(code: str, request: HttpRequest, *, detail: str = "") -> HttpResponse:
    """An answer with this code when nothing was raised, such as a path that leads nowhere."""
    body = _body(code, request, detail=detail)
    return JsonResponse(body, status=body["status"], content_type=CONTENT_TYPE)


def describe(exc: Exception, request: HttpRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """The body and the headers that tell of `exc`."""
    if isinstance(exc, rest.ValidationError):
        exc = ValidationFailed(problems_of(exc.detail))
    code = exc.code if isinstance(exc, DomainError) else _code_of(exc)
    if code == "internal_error":
        log.error("unexpected error", path=request.path, exc_info=exc)
    elif isinstance(exc, OperationalError | DataError):
        log.warning("the database refused", path=request.path, error=str(exc).strip())
    if code not in CODES:
        log.error("error code without a status", code=code, path=request.path)
        code = "internal_error"
    return _body(code, request, detail=_detail(exc, code), **_more(exc)), _headers(exc, code)


def _code_of(exc: Exception) -> str:
    return next((code for kind, code in FOREIGN if isinstance(exc, kind)), "internal_error")


def _detail(exc: Exception, code: str) -> str:
    """What happened, in words that give nothing internal away."""
    if isinstance(exc, DomainError):
        return exc.detail
    if isinstance(exc, rest.APIException) and code != "internal_error":
        return str(exc.detail)
    return ""


def _more(exc: Exception) -> dict[str, Any]:
    if not isinstance(exc, DomainError):
        return {}
    errors = [problem.as_dict() for problem in exc.problems] if isinstance(exc, ValidationFailed) else []
    return {"facts": exc.facts, "hint": exc.hint, "errors": errors}


def _body(code: str, request: HttpRequest, *, detail: str = "", **more: Any) -> dict[str, Any]:
    known = CODES[code]
    body: dict[str, Any] = {
        "type": f"/docs/errors#{code}",
        "title": str(known.title),
        "status": known.status,
        "detail": detail or str(known.title),
        "instance": request.path,
        "code": code,
        "request_id": getattr(request, "request_id", ""),
    }
    return body | {name: value for name, value in more.items() if value}


def _headers(exc: Exception, code: str) -> dict[str, str]:
    status = CODES[code].status
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="joulemart"'}
    if status in (429, 503) or code == "request_in_flight":
        told = exc.facts.get("retry_after_s") if isinstance(exc, DomainError) else getattr(exc, "wait", None)
        wait = told or RETRY_SECONDS
        return {"Retry-After": str(int(wait))}
    return {}
