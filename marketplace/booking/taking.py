"""Many promises at once: their hours summed, the rows of capacity locked in key order, one UPDATE for all.

An interruptible offer and its twin sell the same machines. What the first has free is what both have: its total is what
the twin has not promised. So their claims are summed and measured by the days of the interruptible one, and both
offers' days are locked, since a promise of the twin changes the other's total.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from marketplace.booking.capacity import ARRAY
from marketplace.booking.hours import HOURS_OF_DAY
from marketplace.common.copying import numbers

Ints = npt.NDArray[np.int64]
ALONE = -1
EPOCH_DAY = date(1970, 1, 1).toordinal()
LOCK_DAYS = """
    WITH locked AS (
        SELECT day.id, wanted.place, day.units_total, day.units_promised
        FROM unnest(%s::bigint[], %s::date[]) WITH ORDINALITY AS wanted(offer, day, place)
        JOIN booking_capacityday AS day ON day.offer_id = wanted.offer AND day.day = wanted.day
        ORDER BY day.id FOR UPDATE OF day
    )
    SELECT string_agg(int8send(id) || int8send(place) || array_send(units_total) || array_send(units_promised), '')
    FROM locked
"""
LOCKED = np.dtype([("key", ">i8"), ("place", ">i8"), ("total", ARRAY), ("promised", ARRAY)])
SHARED = """
    SELECT id, twin_id FROM catalog_offer
    WHERE twin_id = ANY(%(offers)s::bigint[]) OR (twin_id IS NOT NULL AND id = ANY(%(offers)s::bigint[]))
"""
PROMISE = """
    UPDATE booking_capacityday AS day SET units_promised = taken.promised::int[]
    FROM unnest(%s::bigint[], %s::text[]) AS taken(id, promised) WHERE day.id = taken.id
"""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims as columns: `units` of an offer (its key) in each of the hours [first, beyond) since 1970.

    What a claim is `worth` counts when hours lack. Claims of one `bundle` stand or fall together; ALONE is in none.
    """

    offer: Ints
    first: Ints
    beyond: Ints
    units: Ints
    worth: Ints
    bundle: Ints

    def and_also(self, more: "Claims") -> "Claims":
        """These claims and `more`."""
        pairs = zip(self.columns, more.columns, strict=True)
        return Claims(*(np.concatenate(pair) for pair in pairs))

    @property
    def columns(self) -> tuple[Ints, ...]:
        """All columns, in order."""
        return self.offer, self.first, self.beyond, self.units, self.worth, self.bundle

    def only(self, wanted: npt.NDArray[np.bool_] | Ints) -> "Claims":
        """The claims that are `wanted`, or those at the places given."""
        return Claims(*(column[wanted] for column in self.columns))


class Twins(NamedTuple):
    """Pairs of offers on the same machines, by their keys: interruptible ones and their firm twins."""

    loose: Ints
    firm: Ints


@dataclass(frozen=True, slots=True)
class Demand:
    """Claims as a grid: `hours` [offers, days x 24] of units from `day` (since 1970) on; claims as ranges in it.

    `pool` names for each offer the one whose free units are what it has left: itself, of a twin the interruptible one.
    """

    offers: list[int]
    day: int
    hours: Ints
    row: Ints
    first: Ints
    beyond: Ints
    pool: Ints

    @property
    def days(self) -> int:
        return int(self.hours.shape[1]) // HOURS_OF_DAY

    def wanted_days(self) -> tuple[Ints, Ints]:
        """(row, day) of every offer-day on which something is wanted of the offer or on its machines."""
        rows, days = np.nonzero(self.by_day(self.together()[self.pool]).any(axis=2))
        return rows, days

    def by_day(self, hours: Ints) -> Ints:
        """[offers, days, 24] a grid of `hours`."""
        return hours.reshape(len(self.offers), self.days, HOURS_OF_DAY)

    def together(self) -> Ints:
        """[offers, hours] units wanted of each pool, at the place of the offer that measures it."""
        if (self.pool == np.arange(self.pool.size)).all():
            return self.hours
        summed = np.zeros_like(self.hours)
        np.add.at(summed, self.pool, self.hours)
        return summed


@transaction.atomic(savepoint=False)
def take_many(claims: Claims, twins: Twins | None = None) -> npt.NDArray[np.bool_]:
    """Promise the hours of as many claims as fit, each wholly or not at all; for each claim whether it got them.

    Where an offer's hours lack, the claims on them of least `worth` yield (of equal ones the later) until they fit.
    `twins` are those of the claimed offers, if they are known, others among them.
    """
    if not claims.units.size:
        return np.zeros(0, dtype=np.bool_)
    demand = _demand(claims, twins_of(np.unique(claims.offer)) if twins is None else twins)
    rows, days = demand.wanted_days()
    keys, places, total, promised = _lock(demand, rows, days)
    free = np.zeros_like(demand.hours)
    demand.by_day(free)[rows[places], days[places]] = total - promised
    kept = _yield(claims, demand, free)
    granted = demand.by_day(demand.hours)[rows[places], days[places]]
    changed = np.flatnonzero(granted.any(axis=1))
    texts = list(map(numbers, (promised + granted)[changed].tolist()))
    with connection.cursor() as cursor:
        cursor.execute(PROMISE, [numbers(keys[changed].tolist()), texts])
    return kept


def lock_hours(claims: Claims) -> None:
    """Lock every day that the claims touch, in key order: for who gives hours back before it takes others."""
    demand = _demand(claims, twins_of(np.unique(claims.offer)))
    _lock(demand, *demand.wanted_days())


def _demand(claims: Claims, twins: Twins) -> Demand:
    asked = np.unique(claims.offer)
    theirs = np.isin(twins.loose, asked) | np.isin(twins.firm, asked)
    loose, twin = twins.loose[theirs], twins.firm[theirs]
    offers = np.union1d(asked, np.concatenate([loose, twin]))
    row, pool = np.searchsorted(offers, claims.offer), np.arange(offers.size)
    pool[np.searchsorted(offers, twin)] = np.searchsorted(offers, loose)
    day = int(claims.first.min()) // HOURS_OF_DAY
    days = -(-int(claims.beyond.max()) // HOURS_OF_DAY) - day
    first, beyond = claims.first - day * HOURS_OF_DAY, claims.beyond - day * HOURS_OF_DAY
    steps = np.zeros((offers.size, days * HOURS_OF_DAY + 1), dtype=np.int64)
    np.add.at(steps, (row, first), claims.units)
    np.subtract.at(steps, (row, beyond), claims.units)
    return Demand(offers.tolist(), day, np.cumsum(steps, axis=1)[:, :-1].copy(), row, first, beyond, pool)


def twins_of(offers: Ints) -> Twins:
    """The pairs that `offers` (keys) are part of."""
    with connection.cursor() as cursor:
        cursor.execute(SHARED, {"offers": numbers(offers.tolist())})
        pairs = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
    return Twins(pairs[:, 0], pairs[:, 1])


def _lock(demand: Demand, rows: Ints, days: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """(key, place in `rows`, total, promised) of every wanted offer-day that exists, locked in key order."""
    offers = numbers(demand.offers[row] for row in rows.tolist())
    dates = [date.fromordinal(EPOCH_DAY + demand.day + day).isoformat() for day in range(demand.days)]
    with connection.cursor() as cursor:
        cursor.execute(LOCK_DAYS, [offers, f"{{{','.join(dates[day] for day in days.tolist())}}}"])
        [content] = cursor.fetchone()
    found = np.frombuffer(content or b"", dtype=LOCKED)
    keys, places = found["key"].astype(np.int64), found["place"].astype(np.int64) - 1
    total, promised = (found[name]["hours"]["units"].astype(np.int64) for name in ("total", "promised"))
    return keys, places, total, promised


def _yield(claims: Claims, demand: Demand, free: Ints) -> npt.NDArray[np.bool_]:
    """Take claims out of `demand.hours` until every hour fits `free`; for each claim whether it stays."""
    kept = np.ones(claims.units.size, dtype=np.bool_)
    wanted, pool = demand.together(), demand.pool[demand.row]
    apart = wanted is not demand.hours
    crowded = np.flatnonzero((wanted > free).any(axis=1))
    doubtful = np.flatnonzero(np.isin(pool, crowded))
    for index in doubtful[np.lexsort((-doubtful, claims.worth[doubtful]))].tolist():
        span = slice(demand.first[index], demand.beyond[index])
        if kept[index] and (wanted[pool[index], span] > free[pool[index], span]).any():
            for other in _bundle(claims, index):
                part = slice(demand.first[other], demand.beyond[other])
                wanted[pool[other], part] -= claims.units[other]
                if apart:
                    demand.hours[demand.row[other], part] -= claims.units[other]
                kept[other] = False
    return kept


def _bundle(claims: Claims, index: int) -> list[int]:
    """The claims that fall with this one."""
    bundle = claims.bundle[index]
    return [index] if bundle == ALONE else np.flatnonzero(claims.bundle == bundle).tolist()
