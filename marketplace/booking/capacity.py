"""Hourly units of many offers as arrays: one COPY in PostgreSQL's binary format, read in place without a loop.

A row of that format is the count of its fields, then each field as its length and its bytes, big-endian; an array is
20 bytes about its shape, then each element as its length and its bytes (PostgreSQL manual, COPY, "Binary Format", and
array_send). The CHECK on CapacityDay makes every row equally long: one dimension, 24 elements, none of them NULL.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from django.db import connection
from psycopg.sql import SQL

from marketplace.booking.hours import HOURS_OF_DAY
from marketplace.common.clock import HOUR

Ints = npt.NDArray[np.int64]
ELEMENT = np.dtype([("length", ">i4"), ("units", ">i4")])
ARRAY = np.dtype([("length", ">i4"), ("shape", "V20"), ("hours", ELEMENT, HOURS_OF_DAY)])
ROW = np.dtype(
    [
        ("fields", ">i2"), ("offer_length", ">i4"), ("offer", ">i8"), ("day_length", ">i4"), ("day", ">i4"),
        ("total", ARRAY), ("promised", ARRAY),
    ]
)  # fmt: skip
HEADER, TRAILER = 19, 2
DAYS_BEFORE = date(2000, 1, 1).toordinal()  # PostgreSQL counts days from there
READ = SQL("""
    COPY (
        SELECT offer_id, day, units_total, units_promised FROM booking_capacityday
        WHERE offer_id = ANY({offers}::bigint[]) AND day BETWEEN {first} AND {last}
    ) TO STDOUT (FORMAT binary)
""")


def hourly_units(*, offers: Sequence[int], first: datetime, hours: int) -> tuple[Ints, Ints]:
    """(existing, promised) units [offers, hours] from the whole hour `first` on; hours without a CapacityDay have none.

    `offers` are keys in ascending order.
    """
    until = first + hours * HOUR
    rows = _rows(offers, first.date(), until.date())
    place = np.searchsorted(np.array(offers, dtype=np.int64), rows["offer"])
    day = rows["day"] - (first.date().toordinal() - DAYS_BEFORE)
    span = slice(first.hour, first.hour + hours)
    answer = []
    for name in ("total", "promised"):
        grid = np.zeros((len(offers), (until.date() - first.date()).days + 1, HOURS_OF_DAY), dtype=np.int64)
        grid[place, day] = rows[name]["hours"]["units"]
        answer.append(grid.reshape(len(offers), -1)[:, span])
    return answer[0], answer[1]


def _rows(offers: Sequence[int], first: date, last: date) -> npt.NDArray[Any]:
    asked = READ.format(offers=list(offers), first=first, last=last)  # COPY takes no parameters
    with connection.cursor() as cursor, connection.wrap_database_errors, cast(Any, cursor).copy(asked) as copy:
        content = b"".join(map(bytes, copy))
    return np.frombuffer(content[HEADER:-TRAILER], dtype=ROW)
