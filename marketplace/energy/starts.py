"""When a run would be cleanest: pure sums over hours that are known or forecast with a range. No clock, no database.

Means over a run weigh each hour by the part of it that the run covers. The range of a mean is the mean of the hours'
ranges, as if all hours erred alike: it is never too narrow for that reason.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from marketplace.common.clock import HOUR, hour_ceil, hour_floor
from marketplace.common.units import ceil_div, floor_div

MICROSECOND = timedelta(microseconds=1)


class Band(NamedTuple):
    """Three values: one in ten is expected below `p10`, one in ten above `p90`; None where no range is known."""

    p10: int | None
    p50: int
    p90: int | None


@dataclass(frozen=True, slots=True)
class HourOutlook:
    """What is known or expected of one hour: life-cycle intensity in mg/kWh, renewable share in ppm.

    `quality` is greater where less is known (an index of `windows.QUALITIES`).
    """

    lifecycle: Band
    renewable: Band
    quality: int


@dataclass(frozen=True, slots=True)
class RunOutlook:
    """The means over a run from `start` to `finish`: intensities rounded up, shares down."""

    start: datetime
    finish: datetime
    lifecycle: Band
    renewable: Band
    quality: int


@dataclass(frozen=True, slots=True)
class RankedStart:
    """A start, and how the life-cycle intensity changes against a start at once.

    In mg/kWh, and in tenths of a per cent rounded up, so that no saving is overstated (None against nothing).
    """

    run: RunOutlook
    change_mg: int
    change_permille: int | None


def overlaps(start: datetime, end: datetime) -> list[int]:
    """Microseconds of [start, end) in each UTC hour it touches; they sum to its length."""
    first, count = hour_floor(start), (hour_ceil(end) - hour_floor(start)) // HOUR
    edges = [start, *(first + n * HOUR for n in range(1, count)), end]
    return [(after - before) // MICROSECOND for before, after in pairwise(edges)]


def candidate_starts(earliest: datetime, finish: datetime, length: timedelta) -> Iterator[datetime]:
    """`earliest` and every whole hour after it from which a run of `length` ends by `finish`."""
    start = earliest
    while start + length <= finish:
        yield start
        start = hour_floor(start) + HOUR


def run_outlook(hours: Sequence[HourOutlook], first: datetime, start: datetime, length: timedelta) -> RunOutlook:
    """The means over [start, start + length) of `hours`, which begin at the whole hour `first` and reach to its end."""
    weights = overlaps(start, start + length)
    index = (hour_floor(start) - first) // HOUR
    covered = hours[index : index + len(weights)]
    if index < 0 or len(covered) < len(weights):
        raise ValueError(f"a run from {start} is not within the hours known from {first}")
    return RunOutlook(
        start=start,
        finish=start + length,
        lifecycle=_mean([hour.lifecycle for hour in covered], weights, up=True),
        renewable=_mean([hour.renewable for hour in covered], weights, up=False),
        quality=max(hour.quality for hour in covered),
    )


def ranked_starts(
    hours: Sequence[HourOutlook], *, first: datetime, now: datetime, starts: Iterable[datetime], length: timedelta
) -> list[RankedStart]:
    """The starts by their median life-cycle intensity, cleanest first; of equals the greener, then the earlier.

    `hours` begin at the whole hour `first` and cover a run from `now` as well.
    """
    at_once = run_outlook(hours, first, now, length).lifecycle.p50
    runs = [run_outlook(hours, first, start, length) for start in starts]
    runs.sort(key=lambda run: (run.lifecycle.p50, -run.renewable.p50, run.start))
    return [_against(run, at_once) for run in runs]


def _against(run: RunOutlook, at_once: int) -> RankedStart:
    change = run.lifecycle.p50 - at_once
    return RankedStart(run, change, ceil_div(1000 * change, at_once) if at_once else None)


def _mean(bands: Sequence[Band], weights: Sequence[int], *, up: bool) -> Band:
    """Without a range as soon as one hour has none."""
    divide, whole = ceil_div if up else floor_div, sum(weights)

    def mean(values: Sequence[int]) -> int:
        return divide(sum(weight * value for weight, value in zip(weights, values, strict=True)), whole)

    low = [band.p10 for band in bands if band.p10 is not None]
    high = [band.p90 for band in bands if band.p90 is not None]
    is_whole = len(low) == len(high) == len(bands)
    return Band(
        p10=mean(low) if is_whole else None,
        p50=mean([band.p50 for band in bands]),
        p90=mean(high) if is_whole else None,
    )
