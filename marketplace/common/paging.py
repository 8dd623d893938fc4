"""Pages of a list by object id: no offset, so nothing is skipped or repeated while rows come and go.

The page after an object is found by that object's own place in the ordering (keyset), which stays right when other
rows are added or removed. Orderings must not contain nullable fields; the key is added last to make them total.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.common.clock import rfc3339
from marketplace.common.errors import FieldProblem, InvalidParameter

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
NAMES = frozenset({"limit", "starting_after", "ending_before"})

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class PageAsk:
    """Which page: at most `limit` items after, or before, the object with this id."""

    limit: int = DEFAULT_LIMIT
    starting_after: str = ""
    ending_before: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list in its order, and whether more lie in the direction of travel."""

    items: list[Item]
    has_more: bool
    count: int


def read_ask(params: Mapping[str, str]) -> PageAsk:
    """The page that a query string asks for; raises InvalidParameter."""
    after, before = params.get("starting_after", ""), params.get("ending_before", "")
    if after and before:
        raise _invalid("ending_before", "give either starting_after or ending_before", "leave one out")
    text = params.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise _invalid("limit", f"limit must be a whole number from 1 to {MAX_LIMIT}", str(DEFAULT_LIMIT))
    return PageAsk(limit=int(text), starting_after=after, ending_before=before)


def page_of(rows: "QuerySet[Row]", ask: PageAsk, *, order: Sequence[str] = ("-pk",)) -> Page[Row]:
    """The page of a queryset in `order` (`-` descends); raises InvalidParameter when the cursor is not in it."""
    total = order if order[-1].lstrip("-") == "pk" else (*order, "pk")
    cursor = ask.starting_after or ask.ending_before
    travel = [_reverse(name) for name in total] if ask.ending_before else list(total)
    wanted = rows.order_by(*travel)
    if cursor:
        wanted = wanted.filter(_beyond(rows, cursor, travel, ask))
    found = list(wanted[: ask.limit + 1])
    items = found[: ask.limit]
    if ask.ending_before:
        items.reverse()
    return Page(items=items, has_more=len(found) > ask.limit, count=rows.count())


def page_of_list(items: Sequence[Item], ask: PageAsk, *, id_of: Callable[[Item], str]) -> Page[Item]:
    """The page of a list already ranked; raises InvalidParameter when the cursor is not in it."""
    cursor = ask.starting_after or ask.ending_before
    start, end = 0, len(items)
    if cursor:
        place = next((index for index, item in enumerate(items) if id_of(item) == cursor), None)
        if place is None:
            raise _lost(ask)
        start, end = (place + 1, end) if ask.starting_after else (0, place)
    if ask.ending_before:
        first = max(start, end - ask.limit)
        return Page(items=list(items[first:end]), has_more=first > start, count=len(items))
    return Page(items=list(items[start : start + ask.limit]), has_more=end - start > ask.limit, count=len(items))


def paged(
    request: Request, rows: "QuerySet[Row]", as_json: Callable[[Row], Mapping[str, Any]], *, now: datetime
) -> Response:
    """The page of `rows` that the query string asks for, newest first unless the rows are ordered otherwise.

    Raises InvalidParameter.
    """
    order = [name for name in rows.query.order_by if isinstance(name, str)] or ["-pk"]
    return list_answer(request, page_of(rows, read_ask(request.query_params), order=order), as_json, now=now)


def list_answer(
    request: Request | HttpRequest,
    page: Page[Item],
    as_json: Callable[[Item], Mapping[str, Any]],
    *,
    now: datetime,
    **meta: Any,
) -> Response:
    """The list as the API shows it, with `Link` to its neighbours (RFC 8288)."""
    data = [as_json(item) for item in page.items]
    body = {
        "object": "list",
        "data": data,
        "has_more": page.has_more,
        "meta": {"count": page.count, "as_of": rfc3339(now), **meta},
    }
    backwards = "ending_before" in request.GET
    if page.has_more and data and not backwards:
        body["next_cursor"] = data[-1]["id"]
    response = Response(body)
    links = _links(request, data, more=page.has_more, backwards=backwards)
    if links:
        response["Link"] = ", ".join(links)
    return response


def _links(request: Request | HttpRequest, data: list[Mapping[str, Any]], *, more: bool, backwards: bool) -> list[str]:
    """`next` and `prev`, each only where a neighbour is known to be."""
    if not data:
        return []
    links = []
    if more if not backwards else True:
        links.append(_link(request, "next", starting_after=str(data[-1]["id"])))
    if more if backwards else "starting_after" in request.GET:
        links.append(_link(request, "prev", ending_before=str(data[0]["id"])))
    return links


def _link(request: Request | HttpRequest, relation: str, **cursor: str) -> str:
    kept = [(name, value) for name, values in request.GET.lists() for value in values if name not in NAMES - {"limit"}]
    return f'<{request.path}?{urlencode([*kept, *cursor.items()])}>; rel="{relation}"'


def _beyond(rows: "QuerySet[Row]", cursor: str, travel: list[str], ask: PageAsk) -> Q:
    """Rows past the cursor: equal in the first fields, beyond in the next one."""
    names = [name.lstrip("-") for name in travel]
    values = rows.filter(public_id=cursor).values_list(*names).first()
    if values is None:
        raise _lost(ask)
    beyond, equal = Q(), Q()
    for name, value in zip(travel, values, strict=True):
        field = name.lstrip("-")
        beyond |= equal & Q(**{f"{field}__{'lt' if name.startswith('-') else 'gt'}": value})
        equal &= Q(**{field: value})
    return beyond


def _reverse(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _lost(ask: PageAsk) -> InvalidParameter:
    name = "starting_after" if ask.starting_after else "ending_before"
    return _invalid(name, "this id is not in the list", "use an id of the last page, or leave it out")


def _invalid(name: str, detail: str, hint: str) -> InvalidParameter:
    return InvalidParameter([FieldProblem(name, "invalid_parameter", detail, hint)])
