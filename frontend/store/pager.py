"""Links to the newer and the older part of a list, by the id it goes on from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from marketplace.common.errors import InvalidParameter
from marketplace.common.paging import DEFAULT_LIMIT, NAMES, page_of, read_ask


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of one page with the addresses of its neighbours; empty where there is none."""

    rows: list[Any]
    count: int
    newer: str
    older: str


def listing(
    request: HttpRequest, rows: "QuerySet[Any]", *, limit: int = DEFAULT_LIMIT, order: Sequence[str] = ("-pk",)
) -> Listing:
    """The part of `rows` (newest first, or in `order`) that the address asks for; an id that is not in it is 404."""
    try:
        ask = read_ask({"limit": str(limit)} | request.GET.dict())
        page = page_of(rows, ask, order=order)
    except InvalidParameter as error:
        raise Http404(error.detail) from error
    backwards = bool(ask.ending_before)
    newer = page.has_more if backwards else bool(ask.starting_after)
    older = page.has_more or backwards
    first, last = (page.items[0], page.items[-1]) if page.items else (None, None)
    return Listing(
        rows=page.items,
        count=page.count,
        newer=_address(request, ending_before=first.public_id) if newer and first else "",
        older=_address(request, starting_after=last.public_id) if older and last else "",
    )


def _address(request: HttpRequest, **cursor: str) -> str:
    query = request.GET.copy()
    for name in NAMES - {"limit"}:
        query.pop(name, None)
    query.update(cursor)
    return f"?{query.urlencode()}"
