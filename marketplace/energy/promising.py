"""Promises of green energy: fractions of future hours are set aside, or nothing is promised at all.

Locks: share hours in the order of their keys; their sum is counted by the database and never exceeds the output.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from marketplace.common.clock import HOUR, hour_ceil, hour_floor
from marketplace.energy.errors import PromiseTooLow
from marketplace.energy.forecast import blends, usuals
from marketplace.energy.models import CertificateSpan, GreenPromise, MeterPoint, PromiseHour, ShareHour, UseHour
from marketplace.energy.paths import FEWEST_PATHS, Whole, paths_known, possible, supply_paths
from marketplace.energy.promised import fractions, promise_percent, promised_share
from marketplace.energy.supply import release_unmatched
from marketplace.energy.supplyhours import Plant, plants_of

WHOLE = 100  # per cent
ONE_IN = 10  # paths is lower than the P10
ADD_HOURS = """
    INSERT INTO energy_sharehour (share_id, start, promised_ppm)
    SELECT share, start, 0 FROM unnest(%s::bigint[]) AS share, unnest(%s::timestamptz[]) AS start
    ON CONFLICT (share_id, start) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Possible:
    """What can be promised of a span: whole per cent, and the ppm of each share's output it takes, [shares][hours]."""

    percent: int
    shares: Sequence[int]
    parts: Sequence[Whole]


def best_promise(
    *, point: MeterPoint, start: datetime, load_wh: Sequence[int], asked_percent: int, now: datetime
) -> Possible:  # fmt: skip
    """The most, up to `asked_percent`, that could be promised of `load_wh` in the hours from `start` on; none is taken.

    0 per cent where no plant serves the point or too little is known of it.
    """
    first = hour_floor(start)
    plants = plants_of(points=[point.pk], first=first, hours=len(load_wh), now=now)
    proven = [plant for plant in plants.of_point.get(point.pk, []) if plant.is_proven]
    return _possible(proven, plants.begin, first, np.array(load_wh, dtype=np.int64), asked_percent)


def _possible(proven: Sequence[Plant], begin: datetime, first: datetime, load: Whole, asked_percent: int) -> Possible:
    nothing = Possible(0, [], [])
    if not proven or not load.sum():
        return nothing
    until = min(plant.until for plant in proven)
    lead = (first - begin) // HOUR - until
    hours = lead + len(load)
    paths = min(paths_known(len(plant.history(until)), hours) for plant in proven)
    if lead < 0 or paths < FEWEST_PATHS:
        return nothing
    low = [_low(plant, until, hours, paths)[lead:] for plant in proven]

    def aside_for(percent: int) -> Possible:
        parts = fractions(load, percent, low, [plant.free for plant in proven])
        supplies = [
            plant.supply(until, np.concatenate([np.zeros(lead, dtype=np.int64), part]))
            for plant, part in zip(proven, parts, strict=True)
        ]
        bands = promised_share(load, supply_paths(supplies, hours, paths)[:, lead:])
        return Possible(promise_percent(asked_percent, bands), [plant.share for plant in proven], parts)

    return least_that_serves(aside_for, asked_percent)


def least_that_serves(aside_for: Callable[[int], Possible], asked_percent: int) -> Possible:
    """What is set aside for `asked_percent`, or for the fewest per cent above it under which so much can be promised:
    the P10 of a span's share may be below the share of its hours' P10. For 100 where even that does not serve.

    What can be promised must not fall when more is set aside.
    """
    found = aside_for(asked_percent)
    if found.percent >= asked_percent:
        return found
    found, low, high = aside_for(WHOLE), asked_percent, WHOLE
    if found.percent < asked_percent:
        return found
    while high - low > 1:
        middle = (low + high) // 2
        tried = aside_for(middle)
        if tried.percent < asked_percent:
            low = middle
        else:
            found, high = tried, middle
    return found


def _low(plant: Plant, until: int, hours: int, paths: int) -> Whole:
    """The P10 of a plant's whole output hour by hour, never below 0."""
    futures = possible(plant.history(until), hours, usuals if plant.solar else blends, paths)
    ordered = np.sort(np.maximum(futures, 0), axis=0)
    low: Whole = np.floor(ordered[-(-paths // ONE_IN) - 1]).astype(np.int64)
    return low


@transaction.atomic
def promise_green(
    *, subject: str, point: MeterPoint, start: datetime, load_wh: Sequence[int], asked_percent: int, now: datetime,
    least_percent: int = 1,
) -> GreenPromise:  # fmt: skip
    """Set aside fractions of the point's plants for `subject`, whose use is `load_wh` in the hours from `start` on.

    Raises PromiseTooLow, which names the best value, when less than `least_percent` can be promised: nothing is set
    aside then.
    """
    first = hour_floor(start)
    starts = [first + n * HOUR for n in range(len(load_wh))]
    _lock(point, starts)
    best = best_promise(point=point, start=start, load_wh=load_wh, asked_percent=asked_percent, now=now)
    if best.percent < max(1, least_percent):
        raise PromiseTooLow(best_percent=best.percent, asked_percent=asked_percent)
    promise = GreenPromise.objects.create(
        subject=subject, point=point, start=first, end=hour_ceil(starts[-1] + HOUR), promised_percent=best.percent,
        forecasts=[{"method": "daily residual paths", "as_of": now.isoformat()}], created_at=now,
    )  # fmt: skip
    keys = {
        (share, at): key
        for key, share, at in ShareHour.objects.filter(share__in=best.shares, start__in=starts).values_list(
            "pk", "share_id", "start"
        )
    }
    PromiseHour.objects.bulk_create(
        PromiseHour(promise=promise, share_hour_id=keys[share, at], ppm=int(ppm))
        for share, part in zip(best.shares, best.parts, strict=True)
        for at, ppm in zip(starts, part, strict=True)
        if ppm
    )
    return promise


def _lock(point: MeterPoint, starts: Sequence[datetime]) -> None:
    """Nobody else promises anything of the point's plants in these hours until the transaction ends."""
    shares = list(point.shares.filter(valid__contains=starts[0]).order_by("pk").values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(ADD_HOURS, [shares, list(starts)])
    rows = ShareHour.objects.filter(share__in=shares, start__in=starts)
    list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))


def release_unused(*, now: datetime, after: timedelta) -> int:
    """Give back what was set aside for promises that ended `after` ago without any use; how many Wh."""
    ended = GreenPromise.objects.filter(end__lte=now - after)
    used = UseHour.objects.filter(subject=OuterRef("subject"))
    waiting = CertificateSpan.objects.filter(subject=OuterRef("subject"), state="reserved")
    subjects = ended.filter(~Exists(used), Exists(waiting)).values_list("subject", flat=True)
    return release_unmatched(subjects=list(subjects[:200]), now=now)


@transaction.atomic
def withdraw_promise(*, subject: str, now: datetime) -> int:
    """Give back what is set aside for `subject` in hours that have not begun; how many share hours.

    The promise itself stays on record, and so does what it took of hours that have begun.
    """
    rows = PromiseHour.objects.filter(promise__subject=subject, share_hour__start__gt=hour_floor(now))
    return rows.delete()[0]
