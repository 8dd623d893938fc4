"""A matcher as one would first write it in Django: job by job, offer by offer, row by row, each in its transaction.

It keeps to the same limits and ranks by the same cost as ours, in plain Python over ORM objects, first come first
served; every hour taken is read under a row lock, checked, and saved.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from benchmarks.database import own_database
from scheduler.core.scoring import rates_of
from scheduler.core.types import HOUR_S, START_MARGIN_S, Ask, Rates, Snapshot

Placed = list[tuple[str, str, int]]  # ask, offer, first hour


@contextmanager
def placing(snapshot: Snapshot) -> Iterator[Callable[[], Placed]]:
    """What places the jobs of `snapshot`, on a database of its own that holds the market and goes afterwards."""
    with own_database(migrated=False):
        from benchmarks import orm_models  # noqa: PLC0415

        orm_models.fill(snapshot)
        yield lambda: place_all(snapshot)


def place_all(snapshot: Snapshot) -> Placed:
    """Each job in the order of its id, on the cheapest column that has room."""
    placed = []
    for ask in sorted(snapshot.asks, key=lambda each: each.id):
        found = _best(snapshot, ask)
        if found is not None and _take(ask, *found):
            placed.append((ask.id, found[0].name, found[1]))
    return placed


def _best(snapshot: Snapshot, ask: Ask) -> tuple[Any, int, int] | None:
    """(offer, first hour, hours) of the cheapest column with room."""
    from benchmarks.orm_models import PeerOffer  # noqa: PLC0415

    offers = PeerOffer.objects.order_by("name")
    if "accelerator" in ask.limits:
        offers = offers.filter(accelerator__in=ask.limits["accelerator"])
    rates = rates_of(ask, snapshot.reference)
    least, best = None, None
    for offer in offers:
        if not _near_enough(ask, offer):
            continue
        here = _as_run_on(ask, offer)
        rows, hours = list(offer.hours.all()), -(-here.run_s // HOUR_S)
        _price(snapshot, here, rates, offer, rows)
        for first in _starts(snapshot, here):
            run = rows[first : first + hours]
            z = _cost(snapshot, here, rates, offer, run) if _passes(here, offer, run) else None
            if z is not None and (least is None or z < least):
                least, best = z, (offer, first, hours)
    return best


def _as_run_on(ask: Ask, offer: Any) -> Ask:
    """`ask` with the time that it runs on the class of `offer`."""
    if ask.reference_pf_milli is None:
        return ask
    return replace(ask, run_s=-(-ask.run_s * ask.reference_pf_milli // offer.pf_milli), reference_pf_milli=None)


def _near_enough(ask: Ask, offer: Any) -> bool:
    limit = ask.limits.get("latency_ms__lte")
    return limit is None or offer.latency_ms[ask.near] <= limit


def _starts(snapshot: Snapshot, ask: Ask) -> range:
    """The whole hours at which the run may begin."""
    ready, end = ask.start_after_s or snapshot.now_s, ask.finish_by_s or snapshot.horizon_end(due=False)
    latest = min(end - START_MARGIN_S, snapshot.horizon_end(due=False)) - ask.run_s - snapshot.first_hour_s
    return range((ready - snapshot.first_hour_s) // HOUR_S, latest // HOUR_S + 1)


def _passes(ask: Ask, offer: Any, run: list[Any]) -> bool:
    """Whether the hours have room and keep to the limits on price and share."""
    if min(hour.free for hour in run) < ask.units:
        return False
    price, share = (_sum(ask, run, name) for name in ("price", "share_ppm"))
    dearest, greenest = ask.limits.get("price_pflop__lte"), ask.limits.get("renewable_share__gte")
    if dearest is not None and price > int(dearest) * ask.run_s * offer.pf_milli:  # type: ignore[arg-type]
        return False
    return greenest is None or share >= int(greenest) * ask.run_s  # type: ignore[arg-type]


def _sum(ask: Ask, run: list[Any], name: str) -> int:
    """The hourly values times the seconds of each hour."""
    unused = HOUR_S * len(run) - ask.run_s
    return sum(HOUR_S * getattr(hour, name) for hour in run) - unused * int(getattr(run[-1], name))


def _price(snapshot: Snapshot, ask: Ask, rates: Rates, offer: Any, rows: list[Any]) -> None:
    """Note on each hour what it costs, mm per unit (matching.md, section 1)."""
    latency, green = (rate * offer.pf_milli // 1000 for rate in (rates.latency_value, rates.green_value))
    ms = max(0, offer.latency_ms[ask.near] - snapshot.reference.free_ms)
    for hour in rows:
        hour.cost = hour.price + latency * ms + green * (10**6 - hour.share_ppm) // 10**6


def _cost(snapshot: Snapshot, ask: Ask, rates: Rates, offer: Any, run: list[Any]) -> int:
    """z, mm per PFLOP-hour."""
    waiting = rates.waiting_value * offer.pf_milli // 1000
    waited = snapshot.first_hour_s + HOUR_S * run[0].hour - max(snapshot.now_s, ask.start_after_s or 0)
    run_cost = _sum(ask, run, "cost") // HOUR_S + waiting * waited * ask.run_s // HOUR_S**2
    return run_cost * 3_600_000 // (ask.run_s * offer.pf_milli)  # type: ignore[no-any-return]


def _take(ask: Ask, offer: Any, first: int, hours: int) -> bool:
    """Take the units of every hour, or none."""
    from django.db import transaction  # noqa: PLC0415

    from benchmarks.orm_models import PeerAllocation  # noqa: PLC0415

    with transaction.atomic():
        rows = list(offer.hours.select_for_update().filter(hour__gte=first, hour__lt=first + hours))
        if min(row.free for row in rows) < ask.units:
            return False
        for row in rows:
            row.free -= ask.units
            row.save(update_fields=["free"])
        PeerAllocation.objects.create(job=ask.id, offer=offer, first=first)
    return True
