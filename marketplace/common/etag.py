"""Strong entity tags made of an object's version, and the condition a change must carry."""

import re

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.common.errors import PreconditionRequired, StaleVersion

TAG = re.compile(r'(W/)?"([^"]*)"')


def etag_of(version: int) -> str:
    """The strong entity tag of this version."""
    return f'"{version}"'


def with_etag(response: Response, version: int) -> Response:
    """The same response, naming its version."""
    response["ETag"] = etag_of(version)
    return response


def require_match(request: Request | HttpRequest, version: int) -> None:
    """Let the change go on only when `If-Match` names this version.

    Raises PreconditionRequired without the header, StaleVersion when it names other versions. A weak tag never
    matches (RFC 9110, 13.1.1); `*` always does.
    """
    wanted = request.headers.get("If-Match", "").strip()
    if not wanted:
        raise PreconditionRequired(
            "this change needs If-Match with the ETag of the version it was decided on",
            hint=f"If-Match: {etag_of(version)}",
        )
    strong = {tag for weak, tag in TAG.findall(wanted) if not weak}
    if wanted != "*" and str(version) not in strong:
        raise StaleVersion("the object has changed since you read it: read it again", version=version)
