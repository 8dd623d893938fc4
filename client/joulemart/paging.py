"""Lists that fetch their next page by themselves."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .calls import Call
from .decode import decode
from .errors import UnexpectedAnswer

T = TypeVar("T")
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page: its objects, whether more follow, and `meta` with `count`, `as_of` and, when asked for, `facets`."""

    data: tuple[T, ...]
    has_more: bool
    next_cursor: str | None
    meta: Json


def page_of(call: Call[T], body: object, transport: object) -> Page[T]:
    """The page in `body`. Raises UnexpectedAnswer when it is not a list."""
    if not isinstance(body, Mapping) or not isinstance(body.get("data"), list):
        raise UnexpectedAnswer(f"{call.path} should answer a list with data")
    rows = body["data"]
    cursor = body.get("next_cursor") or (rows[-1].get("id") if rows else None)
    return Page(
        data=tuple(decode(call.kind, row, transport=transport) for row in rows),
        has_more=bool(body.get("has_more")) and cursor is not None,
        next_cursor=cursor,
        meta=body.get("meta") or {},
    )


class Pager(Generic[T]):
    """Iterate to read every object, page by page; `first()` reads one page with its meta."""

    def __init__(self, call: Call[T], fetch: Callable[[Call[T]], Page[T]]) -> None:
        self._call = call
        self._fetch = fetch

    def first(self) -> Page[T]:
        """The first page alone."""
        return self._fetch(self._call)

    def pages(self) -> Iterator[Page[T]]:
        """Every page."""
        page = self.first()
        yield page
        while page.has_more:
            page = self._fetch(self._call.with_params(starting_after=page.next_cursor))
            yield page

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.data


class AsyncPager(Generic[T]):
    """`Pager` for `AsyncClient`: iterate with `async for`."""

    def __init__(self, call: Call[T], fetch: Callable[[Call[T]], Coroutine[Any, Any, Page[T]]]) -> None:
        self._call = call
        self._fetch = fetch

    async def first(self) -> Page[T]:
        """The first page alone."""
        return await self._fetch(self._call)

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Every page."""
        page = await self.first()
        yield page
        while page.has_more:
            page = await self._fetch(self._call.with_params(starting_after=page.next_cursor))
            yield page

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.data:
                yield item
