"""`client.waits` of `AsyncClient`: the waiting list for hours that are not free."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import calls
from .aio_transport import AsyncTransport
from .paging import AsyncPager
from .wait_objects import Wait


class AsyncWaits:
    """Places of the organization that the key belongs to."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def join(
        self,
        *,
        units: int,
        hours: int,
        where: Mapping[str, Any] | None = None,
        offer: str | None = None,
        start_after: datetime | None = None,
        start_by: datetime | None = None,
        reserve: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Wait:
        """Wait for hours of an `offer`, or of what `where` describes, which names an accelerator then.

        With `reserve` they are reserved at once within `price__lte`, else held for an answer. Raises Conflict when they
        are free, Invalid.
        """
        call = calls.join_waiting_list(
            units=units, hours=hours, where=where or {}, offer=offer, start_after=start_after, start_by=start_by,
            reserve=reserve, dry_run=dry_run, key=idempotency_key,
        )  # fmt: skip
        return await self._transport.fetch(call)

    def list(self, **params: Any) -> AsyncPager[Wait]:
        """Places, the newest first, with those that were served or given up."""
        return AsyncPager(calls.get(Wait, "waits", **params), self._transport.fetch_page)

    async def get(self, wait_id: str) -> Wait:
        """One place."""
        return await self._transport.fetch(calls.get(Wait, "waits", wait_id))

    async def leave(self, wait_id: str) -> Wait:
        """Give up a place. Raises Conflict for one that waits no more."""
        return await self._transport.fetch(calls.post(Wait, "waits", wait_id, "leave"))
