"""Many promises at once: their hours summed, the rows of capacity locked in key order, one UPDATE for all."""

from dataclasses import dataclass
from datetime import date

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

    def only(self, wanted: npt.NDArray[np.bool_]) -> "Claims":
        """The claims that are `wanted`."""
        return Claims(
            *(column[wanted] for column in (self.offer, self.first, self.beyond, self.units, self.worth, self.bundle))
        )


@dataclass(frozen=True, slots=True)
class Demand:
    """Claims as a grid: `hours` [offers, days x 24] of units from `day` (since 1970) on; claims as ranges in it."""

    offers: list[int]
    day: int
    hours: Ints
    row: Ints
    first: Ints
    beyond: Ints

    @property
    def days(self) -> int:
        return int(self.hours.shape[1]) // HOURS_OF_DAY

    def wanted_days(self) -> tuple[Ints, Ints]:
        """(row, day) of every offer-day on which something is wanted."""
        rows, days = np.nonzero(self.hours.reshape(len(self.offers), self.days, HOURS_OF_DAY).any(axis=2))
        return rows, days


@transaction.atomic
def take_many(claims: Claims) -> npt.NDArray[np.bool_]:
    """Promise the hours of as many claims as fit, each wholly or not at all; for each claim whether it got them.

    Where an offer's hours lack, the claims on them of least `worth` yield (of equal ones the later) until they fit.
    """
    if not claims.units.size:
        return np.zeros(0, dtype=np.bool_)
    demand = _demand(claims)
    rows, days = demand.wanted_days()
    keys, places, total, promised = _lock(demand, rows, days)
    free = np.zeros_like(demand.hours).reshape(len(demand.offers), demand.days, HOURS_OF_DAY)
    free[rows[places], days[places]] = total - promised
    kept = _yield(claims, demand, free.reshape(demand.hours.shape))
    granted = demand.hours.reshape(free.shape)[rows[places], days[places]]
    changed = np.flatnonzero(granted.any(axis=1))
    texts = list(map(numbers, (promised + granted)[changed].tolist()))
    with connection.cursor() as cursor:
        cursor.execute(PROMISE, [numbers(keys[changed].tolist()), texts])
    return kept


def _demand(claims: Claims) -> Demand:
    offers, row = np.unique(claims.offer, return_inverse=True)
    day = int(claims.first.min()) // HOURS_OF_DAY
    days = -(-int(claims.beyond.max()) // HOURS_OF_DAY) - day
    first, beyond = claims.first - day * HOURS_OF_DAY, claims.beyond - day * HOURS_OF_DAY
    steps = np.zeros((offers.size, days * HOURS_OF_DAY + 1), dtype=np.int64)
    np.add.at(steps, (row, first), claims.units)
    np.subtract.at(steps, (row, beyond), claims.units)
    return Demand(offers.tolist(), day, np.cumsum(steps, axis=1)[:, :-1].copy(), row, first, beyond)


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
    short = demand.hours > free
    crowded = np.flatnonzero(short.any(axis=1))
    doubtful = np.flatnonzero(np.isin(demand.row, crowded))
    for index in doubtful[np.lexsort((-doubtful, claims.worth[doubtful]))].tolist():
        row, span = demand.row[index], slice(demand.first[index], demand.beyond[index])
        if kept[index] and (demand.hours[row, span] > free[row, span]).any():
            for other in _bundle(claims, index):
                demand.hours[demand.row[other], demand.first[other] : demand.beyond[other]] -= claims.units[other]
                kept[other] = False
    return kept


def _bundle(claims: Claims, index: int) -> list[int]:
    """The claims that fall with this one."""
    bundle = claims.bundle[index]
    return [index] if bundle == ALONE else np.flatnonzero(claims.bundle == bundle).tolist()
