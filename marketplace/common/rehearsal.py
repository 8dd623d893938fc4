"""`dry_run=true`: all checks and the same body, but nothing stored and nothing sent."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

DRY_RUN = OpenApiParameter("dry_run", bool, description="all checks and the same body, nothing stored")
P = ParamSpec("P")
View = TypeVar("View")
Method = Callable[Concatenate[View, Request, P], Response]


def rehearsable(method: Method[View, P]) -> Method[View, P]:
    """Let a write of a REST framework view be tried: with `dry_run=true` it answers 200 and is rolled back.

    Wake-up calls and events wait for the commit, so that a rehearsal sends none. Stands above `idempotent`.
    """

    @functools.wraps(method)
    def wrapped(view: View, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> Response:
        if request.query_params.get("dry_run") != "true":
            return method(view, request, *args, **kwargs)
        with transaction.atomic():
            answer = method(view, request, *args, **kwargs)
            transaction.set_rollback(True)
        answer.status_code = 200
        return answer

    return wrapped
