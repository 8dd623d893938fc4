"""What renewable supply a point may count on, hour by hour: what its plants made, and how much of it is still free.

A plant counts when somebody has verified it and its certificates are not sold: one on the site by its meter, a
contracted one only by what was certified of it hour by hour. A point gets its slice of the plant, less what was
promised of it. Hours that nobody metered are never filled: a plant counts with the last unbroken run of its hours, and
with fewer than 14 days, or silent for five, it counts nothing.

The server puts the hours of all plants into one value in PostgreSQL's binary format, which is read in place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np
from django.db import connection

from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM
from marketplace.energy.forecast import DAY, Series
from marketplace.energy.models import ShareHour, SourceKind, SourceShare, Technology
from marketplace.energy.paths import Supply, Whole, hours_needed
from marketplace.energy.windows import OUTAGE_HOURS

PROVEN_DAYS = 14  # of unbroken history, from which on a plant counts
FURTHEST_HOURS = 30 * DAY
LOOKBACK_HOURS = hours_needed(FURTHEST_HOURS) + OUTAGE_HOURS
EPOCH_HOUR = 3600
ROW = np.dtype([("source", ">i8"), ("hour", ">i4"), ("wh", ">i8")])
READ = """
    SELECT string_agg(
        int8send(source_id) || int4send((extract(epoch FROM start) / 3600)::int)
            || int8send(CASE WHEN source_id = ANY(%(onsite)s) THEN wh ELSE claimed_wh END), '')
    FROM energy_generationhour
    WHERE source_id = ANY(%(sources)s) AND start >= %(begin)s AND start < %(end)s AND quality = 'metered'
"""
# What every answer here rests on; any change of any of it, whoever wrote it, changes the mark. Of promises those of the
# hours to come; an issuance comes with whatever is newly certified.
MARK = """
    SELECT count(*), sum(hashtidextended(ctid, xmin::text::bigint))::text FROM energy_sourceshare
    UNION ALL
    SELECT count(*), sum(hashtidextended(ctid, xmin::text::bigint))::text FROM energy_energysource
    UNION ALL
    SELECT max(id), '' FROM energy_generationhour
    UNION ALL
    SELECT max(id), '' FROM energy_issuance
    UNION ALL
    SELECT count(*), sum(hashtidextended(promised.ctid, promised.xmin::text::bigint))::text
    FROM energy_sourceshare AS share JOIN energy_sharehour AS promised ON promised.share_id = share.id
    WHERE promised.start >= %s
"""
Mark = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Plant:
    """A share of a source as it serves one point.

    `known` is Wh by hour from the start of the reading up to now, nan where nobody metered; `until` the number of the
    hour after the last known one, `run` that of the first hour of the unbroken run before it. `free` is ppm of each
    hour of the window that are neither promised nor outside the share's term.
    """

    share: int  # key
    solar: bool
    sample: bool
    known: Series
    run: int
    until: int
    free: Whole

    @property
    def is_proven(self) -> bool:
        """Whether it is known for long enough, and up to the present, so that it counts."""
        return self.until - self.run >= PROVEN_DAYS * DAY and len(self.known) - self.until <= OUTAGE_HOURS

    @property
    def days(self) -> int:
        """Whole days of the unbroken run that it is known for."""
        return (self.until - self.run) // DAY

    def history(self, until: int) -> Series:
        """Its unbroken run before hour number `until`."""
        return self.known[self.run : until]

    def supply(self, until: int, free: Whole) -> Supply:
        """Its hours before number `until` as forecasts take them, with the `free` ppm of the hours from there on."""
        return Supply(self.history(until), self.solar, free)


@dataclass(frozen=True, slots=True)
class Plants:
    """The plants of many points over one window; hours are numbered from `begin`, the window's first is `skip`."""

    begin: datetime
    skip: int
    hours: int
    of_point: dict[int, list[Plant]]


def supply_mark(*, now: datetime) -> Mark:
    """What changes whenever an answer of `plants_of` may change; one statement. Empty without any share."""
    with connection.cursor() as cursor:
        cursor.execute(MARK, [hour_floor(now)])
        rows = tuple(cursor.fetchall())
    return rows if rows[0][0] else ()


def plants_of(*, points: Iterable[int], first: datetime, hours: int, now: datetime) -> Plants:
    """The plants that serve `points` (keys) in some of the `hours` from the whole hour `first` on.

    Three queries whatever the number of points, one where no plant serves any.
    """
    present = hour_floor(now)
    begin = min(first, present) - LOOKBACK_HOURS * HOUR
    shares = list(SourceShare.objects.backing(points, first, first + hours * HOUR))
    made = _made(shares, begin, present)
    free = _free(shares, first, hours)
    found = {
        point: [_plant(share, made[share.source_id], free[number]) for number, share in members]
        for point, members in groupby(enumerate(shares), key=lambda pair: pair[1].point_id)
    }
    return Plants(begin, (first - begin) // HOUR, hours, found)


def _plant(share: SourceShare, made: Whole, free: Whole) -> Plant:
    """The slice of what its source made, [hours], -1 where nothing is known."""
    ends = share.slice.lower, share.slice.upper
    known = np.where(made < 0, np.nan, made * ends[1] // PPM - made * ends[0] // PPM)
    unknown = np.flatnonzero(made < 0)
    told = np.flatnonzero(made > 0) if share.source.kind != SourceKind.ONSITE else np.flatnonzero(made >= 0)
    until = int(told[-1]) + 1 if told.size else 0  # what is not certified yet is not known to be nothing
    before = unknown[unknown < until]
    return Plant(
        share=share.pk, solar=share.source.technology == Technology.SOLAR, sample=share.source.sample, known=known,
        run=int(before[-1]) + 1 if before.size else 0, until=until, free=free,
    )  # fmt: skip


def _made(shares: Sequence[SourceShare], begin: datetime, end: datetime) -> dict[int, Whole]:
    """By source (key) its Wh in each hour of [begin, end), -1 where none is known."""
    sources = sorted({share.source_id for share in shares})
    if not sources:
        return {}
    onsite = [share.source_id for share in shares if share.source.kind == SourceKind.ONSITE]
    with connection.cursor() as cursor:
        cursor.execute(READ, {"sources": sources, "onsite": onsite, "begin": begin, "end": end})
        [content] = cursor.fetchone() or (None,)
    rows = np.frombuffer(content or b"", dtype=ROW)
    grid = np.full((len(sources), (end - begin) // HOUR), -1, dtype=np.int64)
    grid[np.searchsorted(sources, rows["source"]), rows["hour"] - int(begin.timestamp()) // EPOCH_HOUR] = rows["wh"]
    return dict(zip(sources, grid, strict=True))


def _free(shares: Sequence[SourceShare], first: datetime, hours: int) -> Whole:
    """ppm of each share in each hour of the window that are not promised: [shares, hours]."""
    place = {share.pk: number for number, share in enumerate(shares)}
    free = np.full((len(shares), hours), PPM, dtype=np.int64)
    if not shares:
        return free
    promised = ShareHour.objects.filter(share__in=place, start__gte=first, start__lt=first + hours * HOUR)
    for share, start, ppm in promised.values_list("share_id", "start", "promised_ppm"):
        free[place[share], (start - first) // HOUR] -= ppm
    for number, each in enumerate(shares):
        begins, ends = each.valid.lower, each.valid.upper
        if begins is not None and begins > first:
            free[number, : -((first - begins) // HOUR)] = 0
        if ends is not None:
            free[number, max(0, (ends - first) // HOUR) :] = 0
    return free
