"""Whether a job may run inside the reservation that it names; a refusal names the field."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from accounts.models import Organization
from marketplace.booking.models import Reservation
from marketplace.booking.reserved import lock_reservation
from marketplace.booking.states import RESERVATION
from marketplace.catalog.models import HardwareClass, Latency, Offer
from marketplace.common.clock import rfc3339
from marketplace.common.errors import FieldProblem, NotFound, ValidationFailed
from scheduler.core.feasibility import claims_met
from scheduler.jobfile import JobFile
from scheduler.jobfile.keys import LIMITS
from scheduler.models import Job
from scheduler.querysets import START_MARGIN
from scheduler.requests import StoredAsk

MARKET = "/config/joulemart"
POINTER = f"{MARKET}/reservation"
SECOND = timedelta(seconds=1)
SETTLED = "the reservation has settled this: leave it out"
# Limits on what an offer is; the others are about prices and hours, which were chosen with the reservation.
OF_THE_OFFER = frozenset({
    "accelerator", "tier", "term", "residency", "region", "kind", "evidence", "egress", "currency",
})  # fmt: skip
POINTERS = {limit: f"{MARKET}/{key}" for key, limit in LIMITS.items()} | {
    "accelerator": "/resources/accelerators", "egress": f"{MARKET}/network", "currency": f"{MARKET}/currency",
    "total__lte": f"{MARKET}/max_total", "budget_stop": f"{MARKET}/budget_stop",
}  # fmt: skip


def reservation_of(*, buyer: Organization, file: JobFile, ask: StoredAsk, now: datetime) -> Reservation:
    """The reservation that the file names, locked, if the job can run inside it.

    Raises NotFound for one that is not the buyer's, ValidationFailed for one that has ended, has too few units or too
    little time, or whose offer the job does not take.
    """
    named = Reservation.objects.of([buyer]).with_terms().filter(public_id=file.ask.reservation).first()
    if named is None:
        raise NotFound(f"there is no reservation {file.ask.reservation}", pointer=POINTER)
    lock_reservation(named)
    problems = list(_over(named, now))
    if not problems:
        problems = [*_too_much(named, file), *_too_long(named, file, ask, now), *_unfit(named, file)]
    if problems:
        raise ValidationFailed(problems)
    return named


def run_of(ask: Mapping[str, Any], hardware: HardwareClass) -> timedelta:
    """How long a job with this stored ask may run on `hardware`."""
    stated, reference = ask["run_s"], ask.get("reference_pf_milli")
    if reference is not None:
        stated = -(-stated * reference // hardware.pf_milli)
    return SECOND * int(ask.get("time_limit_by_class", {}).get(hardware.slug, stated))


def check_inside(job: Job, *, limits: Mapping[str, Any], units: int, start_after: datetime | None) -> None:
    """Raises ValidationFailed when a job inside a reservation cannot have these limits, as many units or that start."""
    reservation = job.reservation
    if reservation is None:
        return
    problems = [FieldProblem(f"/limits/{name}", "bad_value", SETTLED) for name in limits]
    if units > reservation.units:
        detail, hint = f"the reservation has {reservation.units} units", str(reservation.units)
        problems.append(FieldProblem("/limits/units", "bad_value", detail, hint))
    if start_after and start_after + run_of(job.ask, reservation.offer.hardware) > reservation.end:
        detail = f"the reservation ends {rfc3339(reservation.end)}, before it could"
        problems.append(FieldProblem("/limits/start_after", "bad_value", detail))
    if problems:
        raise ValidationFailed(problems)


def _over(reservation: Reservation, now: datetime) -> Iterator[FieldProblem]:
    if reservation.state not in RESERVATION.open or reservation.end <= now:
        state = reservation.state if reservation.state not in RESERVATION.open else "over"
        yield FieldProblem(POINTER, "bad_value", f"this reservation is {state}", "a reservation that has not ended")


def _too_much(reservation: Reservation, file: JobFile) -> Iterator[FieldProblem]:
    if file.ask.units > reservation.units:
        named = "accelerators" if "accelerators" in (file.tree.get("resources") or {}) else "cpus"
        detail = f"it asks for {file.ask.units} units, the reservation has {reservation.units}"
        yield FieldProblem(f"/resources/{named}", "bad_value", detail, str(reservation.units))
    if file.ask.gang_id:
        detail = "the jobs of a gang start together in the market; inside a reservation each has its own start"
        yield FieldProblem(f"{MARKET}/gang_id", "bad_value", detail)


def _too_long(reservation: Reservation, file: JobFile, ask: StoredAsk, now: datetime) -> Iterator[FieldProblem]:
    """The run must fit between its earliest start and the reservation's end, and into its own window."""
    run = run_of(ask.as_json(), reservation.offer.hardware)
    start = max(now, reservation.start, file.ask.start_after or now)
    if start >= reservation.end:
        yield FieldProblem(f"{MARKET}/start_after", "bad_value", f"the reservation ends {rfc3339(reservation.end)}")
    elif start + run > reservation.end:
        left = (reservation.end - start) // SECOND
        detail = f"it may run for {run // SECOND} s, but {left} s are left of the reservation"
        yield FieldProblem(f"{MARKET}/time_limit_s", "bad_value", detail, str(left))
    elif file.ask.finish_by and start + run + START_MARGIN > file.ask.finish_by:
        detail = f"the reservation lets it end at {rfc3339(start + run)} at the earliest"
        yield FieldProblem(f"{MARKET}/finish_by", "bad_value", detail, str(rfc3339(start + run + START_MARGIN)))


def _unfit(reservation: Reservation, file: JobFile) -> Iterator[FieldProblem]:
    """The reserved offer has what the job asks of an offer, and nothing is asked that the reservation settled."""
    offer = reservation.offer
    for name, limit in _limits(file, offer).items():
        if name == "latency_ms__lte":
            yield from _too_far(offer, file.ask.near, limit)
        elif name not in OF_THE_OFFER:
            yield FieldProblem(POINTERS[name], "bad_value", SETTLED)
        elif not _met(offer, name, limit):
            said = f"the reserved offer is {_fact(offer, name)}"
            yield FieldProblem(POINTERS[name], "bad_value", said, f"what offer {offer.public_id} has")


def _limits(file: JobFile, offer: Offer) -> dict[str, Any]:
    """What the file asks for; where the offer has accelerators it names them, as it does in the market."""
    ask = file.ask
    beside = {
        "tier": [ask.tier] if ask.tier else None,
        "egress": True if ask.network == "egress" or ask.file_mounts else None,
        "currency": [ask.currency] if ask.currency else None,
        "total__lte": ask.max_total_minor,
        "budget_stop": ask.budget_stop or None,
    }
    named: dict[str, Any] = {} if offer.hardware.family == "cpu" else {"accelerator": []}
    return named | dict(ask.limits) | {name: limit for name, limit in beside.items() if limit is not None}


def _met(offer: Offer, name: str, limit: Any) -> bool:
    fact = {"residency": "country"}.get(name, name)
    wanted = tuple(limit) if isinstance(limit, list) else limit
    return bool(claims_met([SimpleNamespace(**{fact: _fact(offer, name)})], name, wanted)[0])  # type: ignore[list-item]


def _fact(offer: Offer, name: str) -> Any:
    site = offer.site
    facts = {"residency": site.country, "region": site.region, "kind": site.kind}
    if name == "accelerator":
        return offer.hardware.accelerator
    return facts[name] if name in facts else getattr(offer, name)


def _too_far(offer: Offer, near: str | None, most: int) -> Iterator[FieldProblem]:
    measured = Latency.objects.filter(site=offer.site, place__slug=near).values_list("p95_ms", flat=True).first()
    if measured is None or measured > most:
        said = f"the reserved site is {measured} ms from {near}" if measured is not None else "nobody measured it there"
        yield FieldProblem(f"{MARKET}/latency_ms_max", "bad_value", said)
