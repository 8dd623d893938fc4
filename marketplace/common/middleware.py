"""What every request and answer carries: an id that names it in the logs, and where the caller's limit stands."""

import re
import secrets
from collections.abc import Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from marketplace.common.limits import standing_of, tell

ID = re.compile(r"[0-9A-Za-z._-]{1,64}")


class RequestIdMiddleware:
    """Take a well-formed `Request-Id` or make one; log with it; send it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("Request-Id", "")
        request_id = given if ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
        request.request_id = request_id  # type: ignore[attr-defined]  # problem details read it from here
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["Request-Id"] = request_id
        standing = standing_of(request)
        if standing is not None:
            tell(response, standing)
        return response
