"""`AsyncClient`: the marketplace from asyncio. The same resources as `Client`, awaited."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from . import calls, config
from .aio_jobs import AsyncJob, AsyncOutput
from .aio_meters import AsyncMeters
from .aio_receipts import AsyncReceiptResource
from .aio_standing import AsyncStandingOrders
from .aio_transport import AsyncTransport
from .aio_waits import AsyncWaits
from .aio_wallet import AsyncWalletResource
from .client import OnUpload, etag_of
from .objects import Agent, Calendar, Event, Me, Offer, Place, Quote, Upload, Why
from .paging import AsyncPager
from .reservation_objects import Reservation, SoldReservation
from .retry import RetryPolicy
from .submission import prepare
from .wire import OnCall
from .workdir import Workdir

T = TypeVar("T")


class AsyncOffers:
    """The shelf. A provider may also publish and pause its own offers."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, **filters: Any) -> AsyncPager[Offer]:
        """Offers passing `filters`, by the names of the API (`renewable_share__gte=0.8`, `sort="total"`, …)."""
        return AsyncPager(calls.offers(filters), self._transport.fetch_page)

    async def get(self, offer_id: str) -> Offer:
        """One offer."""
        return await self._transport.fetch(calls.offer(offer_id))

    async def calendar(self, offer_id: str, *, days: int = 7) -> Calendar:
        """Price, share, carbon and free units of the coming hours."""
        return await self._transport.fetch(calls.calendar(offer_id, days))

    async def publish(self, offer_id: str, *, idempotency_key: str | None = None) -> Offer:
        """Put a draft or paused offer on sale. Raises Conflict when someone changed it meanwhile."""
        return await self._move(offer_id, "publish", idempotency_key)

    async def pause(self, offer_id: str, *, idempotency_key: str | None = None) -> Offer:
        """Take an offer off the shelf; promises stand."""
        return await self._move(offer_id, "pause", idempotency_key)

    async def _move(self, offer_id: str, verb: str, key: str | None) -> Offer:
        response = await self._transport.send(calls.offer(offer_id))
        etag = etag_of(response.headers, self._transport.decoded(calls.offer(offer_id), response))
        return await self._transport.fetch(calls.move_offer(offer_id, verb, etag=etag, key=key))


class AsyncQuotes:
    """Frozen prices for ten minutes."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        units: int = 1,
        hours: float = 1,
        where: Mapping[str, Any] | None = None,
        weights: Mapping[str, int] | None = None,
        when: str | None = None,
        offer: str | None = None,
        start: datetime | None = None,
        hold: bool = False,
        idempotency_key: str | None = None,
    ) -> Quote:
        """Up to five options for `units` over `hours`. Raises NothingFits with what to relax."""
        return await self._transport.fetch(
            calls.create_quote(
                units=units, hours=hours, where=where, weights=weights, when=when, offer=offer, start=start, hold=hold,
                key=idempotency_key,
            )
        )  # fmt: skip

    async def get(self, quote_id: str) -> Quote:
        """One quote, as it was frozen."""
        return await self._transport.fetch(calls.quote(quote_id))


class AsyncReservations:
    """Capacity promised to the buyer."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        quote: str,
        option: int = 1,
        confirm: bool = True,
        promise_percent: int | None = None,
        least_percent: int = 1,
        idempotency_key: str | None = None,
    ) -> Reservation:
        """Take an option of a quote; without `confirm` it is only held. Raises Conflict, Expired.

        With `promise_percent` up to so much of the energy is promised to be matched by the hour; where it is less than
        `least_percent` nothing is reserved (PromiseTooLow names the best value).
        """
        return await self._transport.fetch(
            calls.create_reservation(
                quote=quote,
                option=option,
                confirm=confirm,
                promise_percent=promise_percent,
                least_percent=least_percent,
                key=idempotency_key,
            )
        )

    def list(self, **params: Any) -> AsyncPager[Reservation]:
        """The organization's reservations."""
        return AsyncPager(calls.reservations(params), self._transport.fetch_page)

    def sold(self, **params: Any) -> AsyncPager[SoldReservation]:
        """Reservations of the organization's own offers."""
        return AsyncPager(calls.get(SoldReservation, "sold_reservations", **params), self._transport.fetch_page)

    async def plan_give_up(self, reservation_id: str, *, reason: str) -> SoldReservation:
        """What giving a sold reservation up would come to (`given_up`); nothing is changed."""
        return await self._transport.fetch(
            calls.give_up(reservation_id, reason, provider_minor=None, key=None, dry_run=True)
        )

    async def give_up(
        self, reservation_id: str, *, reason: str, provider_minor: int | None = None, idempotency_key: str | None = None
    ) -> SoldReservation:
        """End a sold reservation that cannot be kept: its buyer has its money back, and a credit.

        Refused when the provider's part of the credit is more than `provider_minor`.
        """
        call = calls.give_up(reservation_id, reason, provider_minor=provider_minor, key=idempotency_key, dry_run=False)
        return await self._transport.fetch(call)

    async def get(self, reservation_id: str) -> Reservation:
        """One reservation."""
        return await self._transport.fetch(calls.reservation(reservation_id))

    async def confirm(self, reservation_id: str, *, idempotency_key: str | None = None) -> Reservation:
        """Buy what is held."""
        return await self._transport.fetch(calls.move_reservation(reservation_id, "confirm", key=idempotency_key))

    async def cancel(self, reservation_id: str, *, idempotency_key: str | None = None) -> Reservation:
        """Give the capacity back."""
        return await self._transport.fetch(calls.move_reservation(reservation_id, "cancel", key=idempotency_key))

    async def extend(
        self,
        reservation_id: str,
        *,
        hours: int,
        total_minor: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Reservation:
        """Take the next `hours` on the same offer at today's price, which a `dry_run` shows under `change`.

        With `total_minor` any other price is refused. Raises Conflict when an hour is taken, Invalid.
        """
        call = calls.change_reservation(
            reservation_id, "extend", hours=hours, total_minor=total_minor, key=idempotency_key, dry_run=dry_run
        )
        return await self._transport.fetch(call)

    async def resize(
        self,
        reservation_id: str,
        *,
        units: int,
        total_minor: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Reservation:
        """Have `units` in every hour that has not begun: more at today's price, fewer given back.

        Raises Conflict when an hour lacks them or jobs inside need what was to go, Invalid.
        """
        call = calls.change_reservation(
            reservation_id, "resize", units=units, total_minor=total_minor, key=idempotency_key, dry_run=dry_run
        )
        return await self._transport.fetch(call)


class AsyncUploads:
    """Files on their way into a job."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, path: Path | str, *, idempotency_key: str | None = None) -> Upload:
        """Send one file (at most 64 MB)."""
        path = Path(path)
        return await self._transport.fetch(
            calls.upload(path.name, await asyncio.to_thread(path.read_bytes), idempotency_key)
        )


class AsyncJobs:
    """Work to run."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        file: Path | str | None = None,
        text: str | None = None,
        tree: Mapping[str, Any] | None = None,
        quote: str | None = None,
        reservation: str | None = None,
        wait_s: int | None = None,
        idempotency_key: str | None = None,
        on_upload: OnUpload | None = None,
    ) -> AsyncJob:
        """Submit a job file by path, by its text, or as its normal form; `quote` pins that quote's first option.

        A file's `workdir` is uploaded first; `on_upload(path, size)` hears of each file sent. `wait_s` lets the
        answer wait for the allocation. Raises Invalid with line and column, NothingFits when no offer ever could.
        """
        submission = await asyncio.to_thread(prepare, file=file, text=text, tree=tree)
        inputs = await _send_all(self._transport, submission.workdir, on_upload) if submission.workdir else []
        body = calls.job_body(text=submission.text, inputs=inputs, quote=quote, reservation=reservation)
        return await self._transport.fetch(
            calls.create_job(AsyncJob, body, key=idempotency_key, dry_run=False, wait_s=wait_s)
        )

    async def plan(
        self,
        *,
        file: Path | str | None = None,
        text: str | None = None,
        tree: Mapping[str, Any] | None = None,
        quote: str | None = None,
        reservation: str | None = None,
    ) -> AsyncJob:
        """What submitting would do: the same checks and answer, nothing stored or uploaded."""
        submission = await asyncio.to_thread(prepare, file=file, text=text, tree=tree)
        body = calls.job_body(text=submission.text, inputs=[], quote=quote, reservation=reservation)
        return await self._transport.fetch(calls.create_job(AsyncJob, body, key=None, dry_run=True, wait_s=None))

    def list(self, **params: Any) -> AsyncPager[AsyncJob]:
        """The organization's jobs; `state` and `name` narrow them."""
        return AsyncPager(calls.get(AsyncJob, "jobs", **params), self._transport.fetch_page)

    async def get(self, job_id: str) -> AsyncJob:
        """One job."""
        return await self._transport.fetch(calls.get(AsyncJob, "jobs", job_id))

    async def cancel(self, job_id: str, *, idempotency_key: str | None = None) -> AsyncJob:
        """Stop a job."""
        return await self._transport.fetch(calls.move_job(AsyncJob, job_id, "cancel", key=idempotency_key))

    async def retry(self, job_id: str, *, idempotency_key: str | None = None) -> AsyncJob:
        """A new job like one that has ended."""
        return await self._transport.fetch(calls.move_job(AsyncJob, job_id, "retry", key=idempotency_key))

    async def relax(self, job_id: str, limits: Mapping[str, Any], *, idempotency_key: str | None = None) -> AsyncJob:
        """Change limits of a queued job; None drops one."""
        body = {"limits": dict(limits)}
        return await self._transport.fetch(calls.move_job(AsyncJob, job_id, "relax", json=body, key=idempotency_key))

    async def raise_budget(self, job_id: str, max_total_minor: int, *, idempotency_key: str | None = None) -> AsyncJob:
        """Let a job that stops by its budget cost more, and what runs go on for as long as that pays for."""
        body = {"max_total": max_total_minor}
        return await self._transport.fetch(calls.move_job(AsyncJob, job_id, "raise", json=body, key=idempotency_key))

    async def why(self, job_id: str) -> Why:
        """Why a job runs where it does, or what to relax so that it can run."""
        return await self._transport.fetch(calls.why(job_id))

    def outputs(self, job_id: str) -> AsyncPager[AsyncOutput]:
        """The files a job left behind, with fresh links."""
        return AsyncPager(calls.get(AsyncOutput, "jobs", job_id, "artifacts"), self._transport.fetch_page)


async def _send_all(transport: AsyncTransport, workdir: Workdir, on_upload: OnUpload | None) -> list[tuple[str, str]]:
    """Upload each file; (path in the job, upload id) of each."""
    sent = []
    for path, place, size in workdir.files:
        content = await asyncio.to_thread(place.read_bytes)
        upload = await transport.fetch(calls.upload(place.name, content, None))
        sent.append((path, upload.id))
        if on_upload is not None:
            on_upload(path, size)
    return sent


class AsyncUsage:
    """What was used and charged."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def focus(self, month: str | None = None) -> AsyncIterator[bytes]:
        """The costs of a month, such as `2026-11`, as FOCUS 1.2 CSV, piece by piece; without one, of this month."""
        return self._transport.pieces(calls.focus(month))


class AsyncListing(Generic[T]):
    """A resource that is only read as a list."""

    def __init__(self, transport: AsyncTransport, kind: type[T], name: str) -> None:
        self._transport = transport
        self._kind = kind
        self._name = name

    def list(self, **params: Any) -> AsyncPager[T]:
        """Its objects; `params` narrow them by the names of the API."""
        return AsyncPager(calls.get(self._kind, self._name, **params), self._transport.fetch_page)


class AsyncClient:
    """The API of one marketplace. Without arguments: the environment, the login file, or the local sample market.

    Calls are tried again (3 times, full jitter) on 429, 502–504 and lost connections; each POST keeps one
    Idempotency-Key over its tries. Use it within one event loop.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        api_key: str | None = None,
        account: str | None = None,
        policy: RetryPolicy | None = None,
        on_call: OnCall | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        settings = config.given_or_resolved(url=url, api_key=api_key, account=account)
        self._transport = AsyncTransport(settings, policy=policy, on_call=on_call, sleep=sleep)
        self.settings = settings
        self.offers = AsyncOffers(self._transport)
        self.quotes = AsyncQuotes(self._transport)
        self.reservations = AsyncReservations(self._transport)
        self.jobs = AsyncJobs(self._transport)
        self.uploads = AsyncUploads(self._transport)
        self.usage = AsyncUsage(self._transport)
        self.standing_orders = AsyncStandingOrders(self._transport)
        self.waits = AsyncWaits(self._transport)
        self.wallet = AsyncWalletResource(self._transport)
        self.meters = AsyncMeters(self._transport)
        self.receipts = AsyncReceiptResource(self._transport)
        self.events = AsyncListing(self._transport, Event, "events")
        self.places = AsyncListing(self._transport, Place, "places")
        self.agents = AsyncListing(self._transport, Agent, "agents")

    async def me(self) -> Me:
        """Who the key belongs to."""
        return await self._transport.fetch(calls.me())

    async def close(self) -> None:
        """Give the connections back."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
