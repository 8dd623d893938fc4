"""`client.standing_orders` of `AsyncClient`: units kept reserved for the hours ahead."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import calls
from .aio_transport import AsyncTransport
from .paging import AsyncPager
from .standing_objects import StandingOrder


class AsyncStandingOrders:
    """Standing orders of the organization that the key belongs to."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def place(
        self,
        *,
        units: int,
        where: Mapping[str, Any],
        limit_minor: int,
        ahead_hours: int | None = None,
        block_hours: int | None = None,
        ends_at: datetime | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> StandingOrder:
        """Keep `units` of what `where` describes reserved; it names an accelerator and `price__lte`. Raises Invalid.

        `limit_minor` is the most that it may promise and spend in a month.
        """
        call = calls.place_standing_order(
            units=units, where=where, limit_minor=limit_minor, ahead_hours=ahead_hours, block_hours=block_hours,
            ends_at=ends_at, dry_run=dry_run, key=idempotency_key,
        )  # fmt: skip
        return await self._transport.fetch(call)

    def list(self, **params: Any) -> AsyncPager[StandingOrder]:
        """Standing orders, the newest first."""
        return AsyncPager(calls.get(StandingOrder, "standing_orders", **params), self._transport.fetch_page)

    async def get(self, order_id: str) -> StandingOrder:
        """How an order stands, with what was decided for it."""
        return await self._transport.fetch(calls.get(StandingOrder, "standing_orders", order_id))

    async def pause(self, order_id: str) -> StandingOrder:
        """Buy nothing until it is resumed. Raises Conflict."""
        return await self._transport.fetch(calls.move_standing_order(order_id, "pause"))

    async def resume(self, order_id: str) -> StandingOrder:
        """Buy again. Raises Conflict."""
        return await self._transport.fetch(calls.move_standing_order(order_id, "resume"))

    async def cancel(self, order_id: str) -> StandingOrder:
        """Buy nothing any more; what is reserved stays. Raises Conflict."""
        return await self._transport.fetch(calls.move_standing_order(order_id, "cancel"))
