"""`client.waits`: the waiting list for hours that are not free."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import calls
from .paging import Pager
from .transport import Transport
from .wait_objects import Wait


class Waits:
    """Places of the organization that the key belongs to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def join(
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
        return self._transport.fetch(call)

    def list(self, **params: Any) -> Pager[Wait]:
        """Places, the newest first, with those that were served or given up."""
        return Pager(calls.get(Wait, "waits", **params), self._transport.fetch_page)

    def get(self, wait_id: str) -> Wait:
        """One place."""
        return self._transport.fetch(calls.get(Wait, "waits", wait_id))

    def leave(self, wait_id: str) -> Wait:
        """Give up a place. Raises Conflict for one that waits no more."""
        return self._transport.fetch(calls.post(Wait, "waits", wait_id, "leave"))
