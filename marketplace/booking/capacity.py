"""Hourly units of many offers as arrays, read in one statement; read again, only the rows that changed meanwhile.

The server puts the rows into one value in PostgreSQL's binary format, which is read in place without a loop: keys and
days as big-endian numbers, an array as 20 bytes about its shape, then each element as its length and its bytes
(array_send). The CHECK on CapacityDay makes every row equally long: one dimension, 24 elements, none of them NULL.

What changed is told by the writer of each row (xmin). Transactions before the oldest one running at a reading had all
ended by then; whatever this reading did not see was written by that one or a later one. Those rows are read again, a
few too many rather than one too few. Transaction numbers turn over, so they are compared by age. A row that was deleted
has no writer: a count that does not fit has everything read again. Nothing is kept of a reading inside a transaction
that has written, since that may be undone.

What the interruptible offer on a twin's machines has promised counts as promised of the twin too: who buys firm hours
can have only what nobody uses. Its days are read beside those of the twin.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from django.db import connection

from marketplace.booking.hours import HOURS_OF_DAY
from marketplace.common.clock import HOUR
from marketplace.common.copying import numbers

Ints = npt.NDArray[np.int64]
ELEMENT = np.dtype([("length", ">i4"), ("units", ">i4")])
ARRAY = np.dtype([("shape", "V20"), ("hours", ELEMENT, HOURS_OF_DAY)])
ROW = np.dtype([("offer", ">i8"), ("day", ">i4"), ("total", ARRAY), ("promised", ARRAY)])
DAYS_BEFORE = date(2000, 1, 1).toordinal()  # PostgreSQL counts days from there
READ = """
    SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NULL
                THEN pg_snapshot_xmin(pg_current_snapshot())::xid::text END,
           count(*),
           string_agg(int8send(sold.offer_id) || date_send(sold.day) || array_send(sold.units_total) || array_send(
                          CASE WHEN beside.id IS NULL THEN sold.units_promised
                               ELSE hours_add(sold.units_promised, beside.units_promised) END), '')
               FILTER (WHERE %(since)s::xid IS NULL OR age(sold.xmin) <= age(%(since)s::xid)
                             OR age(beside.xmin) <= age(%(since)s::xid))
    FROM booking_capacityday AS sold
    LEFT JOIN (
        booking_capacityday AS beside
        JOIN catalog_offer AS loose ON loose.id = beside.offer_id AND loose.twin_id IS NOT NULL
    ) ON loose.twin_id = sold.offer_id AND beside.day = sold.day
    WHERE sold.offer_id = ANY(%(offers)s::bigint[]) AND sold.day BETWEEN %(first)s AND %(last)s
"""


class Hours:
    """(existing, promised) units [offers, hours] from the whole hour `first` on; hours without a CapacityDay have none.

    `offers` are keys in ascending order.
    """

    def __init__(self, *, offers: Sequence[int], first: datetime, hours: int) -> None:
        self.offers, self.first, self.hours = list(offers), first, hours
        self._keys = np.array(self.offers, dtype=np.int64)
        self._last = (first + hours * HOUR).date()
        self._since: str | None = None
        self._read_all()

    def read_again(self) -> list[int]:
        """Take over what has changed since the last reading; the indices of all offers that may have other units."""
        if self._since is None:
            return self._read_all()
        since, count, rows = self._read(self._since)
        touched = self._enter(rows)
        if int(self._known.sum()) != count:
            return self._read_all()
        self._since = since
        return touched

    @property
    def total(self) -> Ints:
        """Units that exist."""
        return self._window(self._grids[0])

    @property
    def promised(self) -> Ints:
        """Units already promised, of a twin also by the interruptible offer on its machines."""
        return self._window(self._grids[1])

    def _window(self, grid: Ints) -> Ints:
        hourly = grid.reshape(grid.shape[0], grid.shape[1] * HOURS_OF_DAY)
        return hourly[:, self.first.hour : self.first.hour + self.hours]

    def _read_all(self) -> list[int]:
        shape = len(self.offers), (self._last - self.first.date()).days + 1
        self._since = None
        since, _, rows = self._read(None)
        self._grids = np.zeros((2, *shape, HOURS_OF_DAY), dtype=np.int64)
        self._known = np.zeros(shape, dtype=np.bool_)
        self._enter(rows)
        self._since = since
        return list(range(len(self.offers)))

    def _read(self, since: str | None) -> tuple[str | None, int, npt.NDArray[Any]]:
        """(where the next reading may begin, number of rows, those of them written since `since`)."""
        asked = {"since": since, "offers": numbers(self.offers), "first": self.first.date(), "last": self._last}
        with connection.cursor() as cursor:
            cursor.execute(READ, asked)
            begin, count, content = cast("tuple[str | None, int, bytes | None]", cursor.fetchone())
        return begin, count, np.frombuffer(content or b"", dtype=ROW)

    def _enter(self, rows: npt.NDArray[Any]) -> list[int]:
        place = np.searchsorted(self._keys, rows["offer"])
        day = rows["day"] - (self.first.date().toordinal() - DAYS_BEFORE)
        for grid, name in zip(self._grids, ("total", "promised"), strict=True):
            grid[place, day] = rows[name]["hours"]["units"]
        self._known[place, day] = True
        return [int(each) for each in np.unique(place)]
