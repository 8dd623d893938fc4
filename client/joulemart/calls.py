"""Every call of the API as data. `Client` and `AsyncClient` send the same calls; only the waiting differs."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote as quoted

from .meter_objects import MeterImport
from .objects import Calendar, Me, Offer, Quote, Upload, Why
from .reservation_objects import Reservation, SoldReservation
from .standing_objects import StandingOrder
from .wait_objects import Wait
from .wallet_objects import Refunds, Topup, Wallets

T = TypeVar("T")
Params = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """One HTTP call and the kind of object it answers. `files` holds (name, bytes) of one multipart field `file`."""

    kind: type[T]
    method: str
    path: str
    params: Params = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    file: tuple[str, bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_params(self, **params: Any) -> "Call[T]":
        """The same call with more parameters; None leaves one out."""
        return replace(self, params={**self.params, **params})

    def query(self) -> list[tuple[str, str | int | float | bool | None]]:
        """Parameters as they travel: a list repeats its name, times are UTC, None is absent."""
        pairs: list[tuple[str, str | int | float | bool | None]] = []
        for name, value in self.params.items():
            many = value if isinstance(value, list | tuple) else [value]
            pairs.extend((name, text_of(one)) for one in many if one is not None)
        return pairs


def text_of(value: object) -> str:
    """A parameter's value as the API reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value)


def rfc3339(moment: datetime) -> str:
    """An aware time in UTC, `2026-11-24T02:00:00Z`. Raises ValueError for a time without offset."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} needs an offset")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def get(kind: type[T], *path: str, **params: Any) -> Call[T]:
    """Read one object or a list."""
    return Call(kind=kind, method="GET", path=_path(path), params=params)


def post(
    kind: type[T],
    *path: str,
    json: Mapping[str, Any] | None = None,
    key: str | None = None,
    dry_run: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Call[T]:
    """A write. It carries one Idempotency-Key for all its tries: `key`, or a new one."""
    return Call(
        kind=kind,
        method="POST",
        path=_path(path),
        params={"dry_run": True} if dry_run else {},
        json={name: value for name, value in (json or {}).items() if value is not None},
        headers={"Idempotency-Key": key or f"jm-{uuid.uuid4().hex}", **(headers or {})},
    )


def _path(parts: Iterable[str]) -> str:
    return "/" + "/".join(quoted(part, safe="") for part in parts)


def me() -> Call[Me]:
    """Who the key belongs to."""
    return get(Me, "me")


def offers(filters: Params) -> Call[Offer]:
    """Offers that pass `filters`, ranked."""
    return get(Offer, "offers", **filters)


def offer(offer_id: str) -> Call[Offer]:
    """One offer."""
    return get(Offer, "offers", offer_id)


def calendar(offer_id: str, days: int) -> Call[Calendar]:
    """An offer's hours for `days` days."""
    return get(Calendar, "offers", offer_id, "calendar", days=days)


def move_offer(offer_id: str, verb: str, *, etag: str, key: str | None) -> Call[Offer]:
    """Publish, pause or retire an offer, provided it still is the version that `etag` names."""
    return post(Offer, "offers", offer_id, verb, key=key, headers={"If-Match": etag})


def create_quote(
    *,
    units: int,
    hours: float,
    where: Params | None,
    weights: Mapping[str, int] | None,
    when: str | None,
    offer: str | None,
    start: datetime | None,
    hold: bool,
    key: str | None,
) -> Call[Quote]:
    """Ask for frozen prices."""
    body = {
        "units": units,
        "hours": hours,
        "where": {name: _jsonable(value) for name, value in (where or {}).items() if value is not None},
        "weights": None if weights is None else dict(weights),
        "when": when,
        "offer": offer,
        "start": None if start is None else rfc3339(start),
        "hold": hold or None,
    }
    return post(Quote, "quotes", json=body, key=key)


def _jsonable(value: object) -> object:
    return rfc3339(value) if isinstance(value, datetime) else value


def quote(quote_id: str) -> Call[Quote]:
    """One quote."""
    return get(Quote, "quotes", quote_id)


def create_reservation(
    *, quote: str, option: int, confirm: bool, promise_percent: int | None, least_percent: int, key: str | None
) -> Call[Reservation]:
    """Take the capacity of a quote's option, with a promise of green energy where one is asked for."""
    body: dict[str, Any] = {"quote": quote, "option": option, "confirm": confirm}
    if promise_percent is not None:
        body["promise_green"] = {"percent": promise_percent, "least_percent": least_percent}
    return post(Reservation, "reservations", json=body, key=key)


def reservations(params: Params) -> Call[Reservation]:
    """The organization's reservations, newest first."""
    return get(Reservation, "reservations", **params)


def reservation(reservation_id: str) -> Call[Reservation]:
    """One reservation."""
    return get(Reservation, "reservations", reservation_id)


def move_reservation(reservation_id: str, verb: str, *, key: str | None) -> Call[Reservation]:
    """Confirm or cancel a reservation."""
    return post(Reservation, "reservations", reservation_id, verb, key=key)


def give_up(
    reservation_id: str, reason: str, *, provider_minor: int | None, key: str | None, dry_run: bool
) -> Call[SoldReservation]:
    """End a sold reservation; `provider_minor` is the part of the credit that was agreed to."""
    body: dict[str, Any] = {"reason": reason}
    if provider_minor is not None:
        body["provider_minor"] = provider_minor
    return post(SoldReservation, "sold_reservations", reservation_id, "give_up", json=body, key=key, dry_run=dry_run)


def change_reservation(
    reservation_id: str, verb: str, *, total_minor: int | None, key: str | None, dry_run: bool, **wish: int
) -> Call[Reservation]:
    """Extend (`hours`) or resize (`units`) a reservation; `total_minor` is the price that was agreed to."""
    body = {**wish, "total_minor": total_minor}
    return post(Reservation, "reservations", reservation_id, verb, json=body, key=key, dry_run=dry_run)


def place_standing_order(
    *, where: Params, ends_at: datetime | None, dry_run: bool, key: str | None, **terms: int | None
) -> Call[StandingOrder]:
    """Keep units reserved for the hours ahead."""
    limits = {name: _jsonable(value) for name, value in where.items()}
    body = {**terms, "where": limits, "ends_at": None if ends_at is None else rfc3339(ends_at)}
    return post(StandingOrder, "standing_orders", json=body, key=key, dry_run=dry_run)


def move_standing_order(order_id: str, verb: str) -> Call[StandingOrder]:
    """Pause, resume or cancel a standing order."""
    return post(StandingOrder, "standing_orders", order_id, verb)


def join_waiting_list(
    *, where: Params, start_after: datetime | None, start_by: datetime | None, dry_run: bool, key: str | None,
    **terms: int | str | None,
) -> Call[Wait]:  # fmt: skip
    """Wait for hours that are not free."""
    times = {"start_after": start_after, "start_by": start_by}
    limits = {name: _jsonable(value) for name, value in where.items()}
    body = {**terms, "where": limits, **{name: rfc3339(at) for name, at in times.items() if at is not None}}
    return post(Wait, "waits", json=body, key=key, dry_run=dry_run)


def focus(month: str | None) -> Call[bytes]:
    """The costs of a month, such as `2026-11`, as FOCUS 1.2 CSV."""
    kinds = {"Accept": "text/csv, application/problem+json"}
    return replace(get(bytes, "usage", format="focus", month=month), headers=kinds)


def receipt_pdf(receipt_id: str, version: int | None) -> Call[bytes]:
    """A receipt to read."""
    kinds = {"Accept": "application/pdf, application/problem+json"}
    return replace(get(bytes, "receipts", receipt_id, "pdf", version=version), headers=kinds)


def upload(name: str, content: bytes, key: str | None) -> Call[Upload]:
    """Send one file."""
    return replace(post(Upload, "uploads", key=key), json=None, file=(name, content))


def push_meters(name: str, content: bytes, *, dry_run: bool) -> Call[MeterImport]:
    """Import a file of readings."""
    return replace(post(MeterImport, "meter_readings", dry_run=dry_run), json=None, file=(name, content))


def create_job(
    kind: type[T],
    body: Mapping[str, Any],
    *,
    key: str | None,
    dry_run: bool,
    wait_s: int | None,
) -> Call[T]:
    """Submit a job, or with `dry_run` only plan it. `wait_s` lets the answer wait for the allocation."""
    headers = {} if wait_s is None else {"Prefer": f"wait={wait_s}"}
    return post(kind, "jobs", json=body, key=key, dry_run=dry_run, headers=headers)


def job_body(
    *,
    text: str,
    inputs: Sequence[tuple[str, str]],
    quote: str | None,
    reservation: str | None,
) -> dict[str, Any]:
    """The body of a submission. `inputs` holds (path in the job, upload id)."""
    body: dict[str, Any] = {"file": text}
    if inputs:
        body["inputs"] = [{"path": path, "upload": upload_id} for path, upload_id in inputs]
    if quote is not None:
        body["quote"] = quote
    if reservation is not None:
        body["reservation"] = reservation
    return body


def move_job(
    kind: type[T],
    job_id: str,
    verb: str,
    *,
    json: Mapping[str, Any] | None = None,
    key: str | None,
) -> Call[T]:
    """Cancel, relax, raise or retry a job. `json` keeps its nulls: a null limit is dropped."""
    return replace(post(kind, "jobs", job_id, verb, key=key), json=json or {})


def why(job_id: str) -> Call[Why]:
    """Why a job runs where it does."""
    return get(Why, "jobs", job_id, "why")


def wallets() -> Call[Wallets]:
    """What the organization has."""
    return get(Wallets, "wallet")


def create_topup(amount_minor: int, *, save_method: bool, key: str | None, dry_run: bool) -> Call[Topup]:
    """Pay in by card."""
    body = {"amount_minor": amount_minor, "save_method": save_method or None}
    return post(Topup, "wallet", "topups", json=body, key=key, dry_run=dry_run)


def create_refund(amount_minor: int, *, key: str | None, dry_run: bool) -> Call[Refunds]:
    """Send money back to the cards that paid."""
    return post(Refunds, "wallet", "refunds", json={"amount_minor": amount_minor}, key=key, dry_run=dry_run)
