"""`Client`: the marketplace from a blocking program.

client = joulemart.Client()
quote = client.quotes.create(units=8, hours=6, where={"near": "shanghai", "renewable_share__gte": 0.8})
job = client.jobs.create(file="job.yaml", quote=quote.id)
for line in job.logs(follow=True):
    print(line.text)
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from . import calls, config
from .jobs import Job, Output
from .meters import Meters
from .objects import Agent, Calendar, Event, Me, Offer, Place, Quote, Upload, Why
from .paging import Pager
from .receipt_resource import ReceiptResource
from .reservation_objects import Reservation, SoldReservation
from .retry import RetryPolicy
from .standing import StandingOrders
from .submission import prepare
from .transport import Transport
from .waits import Waits
from .wallet import WalletResource
from .wire import OnCall
from .workdir import Workdir

T = TypeVar("T")
OnUpload = Callable[[str, int], None]


def etag_of(headers: Mapping[str, str], offer: Offer) -> str:
    """The version to name in If-Match: the answer's own ETag, else one made of the offer's version."""
    return headers.get("ETag") or f'"{offer.version}"'


class Offers:
    """The shelf. A provider may also publish and pause its own offers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, **filters: Any) -> Pager[Offer]:
        """Offers passing `filters`, by the names of the API (`renewable_share__gte=0.8`, `sort="total"`, …)."""
        return Pager(calls.offers(filters), self._transport.fetch_page)

    def get(self, offer_id: str) -> Offer:
        """One offer."""
        return self._transport.fetch(calls.offer(offer_id))

    def calendar(self, offer_id: str, *, days: int = 7) -> Calendar:
        """Price, share, carbon and free units of the coming hours."""
        return self._transport.fetch(calls.calendar(offer_id, days))

    def publish(self, offer_id: str, *, idempotency_key: str | None = None) -> Offer:
        """Put a draft or paused offer on sale. Raises Conflict when someone changed it meanwhile."""
        return self._move(offer_id, "publish", idempotency_key)

    def pause(self, offer_id: str, *, idempotency_key: str | None = None) -> Offer:
        """Take an offer off the shelf; promises stand."""
        return self._move(offer_id, "pause", idempotency_key)

    def _move(self, offer_id: str, verb: str, key: str | None) -> Offer:
        response = self._transport.send(calls.offer(offer_id))
        etag = etag_of(response.headers, self._transport.decoded(calls.offer(offer_id), response))
        return self._transport.fetch(calls.move_offer(offer_id, verb, etag=etag, key=key))


class Quotes:
    """Frozen prices for ten minutes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
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
        return self._transport.fetch(
            calls.create_quote(
                units=units, hours=hours, where=where, weights=weights, when=when, offer=offer, start=start, hold=hold,
                key=idempotency_key,
            )
        )  # fmt: skip

    def get(self, quote_id: str) -> Quote:
        """One quote, as it was frozen."""
        return self._transport.fetch(calls.quote(quote_id))


class Reservations:
    """Capacity promised to the buyer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
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
        return self._transport.fetch(
            calls.create_reservation(
                quote=quote,
                option=option,
                confirm=confirm,
                promise_percent=promise_percent,
                least_percent=least_percent,
                key=idempotency_key,
            )
        )

    def list(self, **params: Any) -> Pager[Reservation]:
        """The organization's reservations."""
        return Pager(calls.reservations(params), self._transport.fetch_page)

    def sold(self, **params: Any) -> Pager[SoldReservation]:
        """Reservations of the organization's own offers."""
        return Pager(calls.get(SoldReservation, "sold_reservations", **params), self._transport.fetch_page)

    def plan_give_up(self, reservation_id: str, *, reason: str) -> SoldReservation:
        """What giving a sold reservation up would come to (`given_up`); nothing is changed."""
        return self._transport.fetch(calls.give_up(reservation_id, reason, provider_minor=None, key=None, dry_run=True))

    def give_up(
        self, reservation_id: str, *, reason: str, provider_minor: int | None = None, idempotency_key: str | None = None
    ) -> SoldReservation:
        """End a sold reservation that cannot be kept: its buyer has its money back, and a credit.

        Refused when the provider's part of the credit is more than `provider_minor`.
        """
        call = calls.give_up(reservation_id, reason, provider_minor=provider_minor, key=idempotency_key, dry_run=False)
        return self._transport.fetch(call)

    def get(self, reservation_id: str) -> Reservation:
        """One reservation."""
        return self._transport.fetch(calls.reservation(reservation_id))

    def confirm(self, reservation_id: str, *, idempotency_key: str | None = None) -> Reservation:
        """Buy what is held."""
        return self._transport.fetch(calls.move_reservation(reservation_id, "confirm", key=idempotency_key))

    def cancel(self, reservation_id: str, *, idempotency_key: str | None = None) -> Reservation:
        """Give the capacity back."""
        return self._transport.fetch(calls.move_reservation(reservation_id, "cancel", key=idempotency_key))

    def extend(
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
        return self._transport.fetch(call)

    def resize(
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
        return self._transport.fetch(call)


class Uploads:
    """Files on their way into a job."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, path: Path | str, *, idempotency_key: str | None = None) -> Upload:
        """Send one file (at most 64 MB)."""
        path = Path(path)
        return self._transport.fetch(calls.upload(path.name, path.read_bytes(), idempotency_key))


class Jobs:
    """Work to run."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
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
    ) -> Job:
        """Submit a job file by path, by its text, or as its normal form; `quote` pins that quote's first option.

        A file's `workdir` is uploaded first; `on_upload(path, size)` hears of each file sent. `wait_s` lets the
        answer wait for the allocation. Raises Invalid with line and column, NothingFits when no offer ever could.
        """
        submission = prepare(file=file, text=text, tree=tree)
        inputs = _send_all(self._transport, submission.workdir, on_upload) if submission.workdir else []
        body = calls.job_body(text=submission.text, inputs=inputs, quote=quote, reservation=reservation)
        return self._transport.fetch(calls.create_job(Job, body, key=idempotency_key, dry_run=False, wait_s=wait_s))

    def plan(
        self,
        *,
        file: Path | str | None = None,
        text: str | None = None,
        tree: Mapping[str, Any] | None = None,
        quote: str | None = None,
        reservation: str | None = None,
    ) -> Job:
        """What submitting would do: the same checks and answer, nothing stored or uploaded."""
        submission = prepare(file=file, text=text, tree=tree)
        body = calls.job_body(text=submission.text, inputs=[], quote=quote, reservation=reservation)
        return self._transport.fetch(calls.create_job(Job, body, key=None, dry_run=True, wait_s=None))

    def list(self, **params: Any) -> Pager[Job]:
        """The organization's jobs; `state` and `name` narrow them."""
        return Pager(calls.get(Job, "jobs", **params), self._transport.fetch_page)

    def get(self, job_id: str) -> Job:
        """One job."""
        return self._transport.fetch(calls.get(Job, "jobs", job_id))

    def cancel(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """Stop a job."""
        return self._transport.fetch(calls.move_job(Job, job_id, "cancel", key=idempotency_key))

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """A new job like one that has ended."""
        return self._transport.fetch(calls.move_job(Job, job_id, "retry", key=idempotency_key))

    def relax(self, job_id: str, limits: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Change limits of a queued job; None drops one."""
        body = {"limits": dict(limits)}
        return self._transport.fetch(calls.move_job(Job, job_id, "relax", json=body, key=idempotency_key))

    def raise_budget(self, job_id: str, max_total_minor: int, *, idempotency_key: str | None = None) -> Job:
        """Let a job that stops by its budget cost more, and what runs go on for as long as that pays for."""
        body = {"max_total": max_total_minor}
        return self._transport.fetch(calls.move_job(Job, job_id, "raise", json=body, key=idempotency_key))

    def why(self, job_id: str) -> Why:
        """Why a job runs where it does, or what to relax so that it can run."""
        return self._transport.fetch(calls.why(job_id))

    def outputs(self, job_id: str) -> Pager[Output]:
        """The files a job left behind, with fresh links."""
        return Pager(calls.get(Output, "jobs", job_id, "artifacts"), self._transport.fetch_page)


def _send_all(transport: Transport, workdir: Workdir, on_upload: OnUpload | None) -> list[tuple[str, str]]:
    """Upload each file; (path in the job, upload id) of each."""
    sent = []
    for path, place, size in workdir.files:
        upload = transport.fetch(calls.upload(place.name, place.read_bytes(), None))
        sent.append((path, upload.id))
        if on_upload is not None:
            on_upload(path, size)
    return sent


class Usage:
    """What was used and charged."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def focus(self, month: str | None = None) -> Iterator[bytes]:
        """The costs of a month, such as `2026-11`, as FOCUS 1.2 CSV, piece by piece; without one, of this month."""
        return self._transport.pieces(calls.focus(month))


class Listing(Generic[T]):
    """A resource that is only read as a list."""

    def __init__(self, transport: Transport, kind: type[T], name: str) -> None:
        self._transport = transport
        self._kind = kind
        self._name = name

    def list(self, **params: Any) -> Pager[T]:
        """Its objects; `params` narrow them by the names of the API."""
        return Pager(calls.get(self._kind, self._name, **params), self._transport.fetch_page)


class Client:
    """The API of one marketplace. Without arguments: the environment, the login file, or the local sample market.

    Calls are tried again (3 times, full jitter) on 429, 502–504 and lost connections; each POST keeps one
    Idempotency-Key over its tries. Safe to use from one thread at a time.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        api_key: str | None = None,
        account: str | None = None,
        policy: RetryPolicy | None = None,
        on_call: OnCall | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        settings = config.given_or_resolved(url=url, api_key=api_key, account=account)
        self._transport = Transport(settings, policy=policy, on_call=on_call, sleep=sleep)
        self.settings = settings
        self.offers = Offers(self._transport)
        self.quotes = Quotes(self._transport)
        self.reservations = Reservations(self._transport)
        self.jobs = Jobs(self._transport)
        self.uploads = Uploads(self._transport)
        self.usage = Usage(self._transport)
        self.standing_orders = StandingOrders(self._transport)
        self.waits = Waits(self._transport)
        self.wallet = WalletResource(self._transport)
        self.meters = Meters(self._transport)
        self.receipts = ReceiptResource(self._transport)
        self.events = Listing(self._transport, Event, "events")
        self.places = Listing(self._transport, Place, "places")
        self.agents = Listing(self._transport, Agent, "agents")

    def me(self) -> Me:
        """Who the key belongs to."""
        return self._transport.fetch(calls.me())

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
