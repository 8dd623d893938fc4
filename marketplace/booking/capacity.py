"""Hourly units of many offers as arrays, read in one statement; read again, only the rows that changed meanwhile.

The server puts the rows into one value in PostgreSQL's binary format, which is read in place without a loop: keys and
days as big-endian numbers, an array as 20 bytes about its shape, then each element as its length and its bytes
(array_send). The CHECK on CapacityDay makes every row equally long: one dimension, 24 elements, none of them NULL.

What changed is told by `written`, the number of the transaction that wrote a row last; the database sets it.
Transactions before the oldest one running at a reading had all ended by then; whatever this reading did not see was
written by that one or a later one. Those rows are found by an index and read again, a few too many rather than one too
few. A row never goes (`capacity_day_stays`). Nothing is kept of a reading inside a transaction that has written: it may
be undone.

What the interruptible offer on a twin's machines has promised counts as promised of the twin too: who buys firm hours
can have only what nobody uses. Its days are read beside those of the twin.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from marketplace.booking.hours import HOURS_OF_DAY
from marketplace.common.clock import HOUR
from marketplace.common.copying import numbers
from marketplace.common.sending import Answer, ask

Ints = npt.NDArray[np.int64]
ELEMENT = np.dtype([("length", ">i4"), ("units", ">i4")])
ARRAY = np.dtype([("shape", "V20"), ("hours", ELEMENT, HOURS_OF_DAY)])
ROW = np.dtype([("offer", ">i8"), ("day", ">i4"), ("total", ARRAY), ("promised", ARRAY)])
DAYS_BEFORE = date(2000, 1, 1).toordinal()  # PostgreSQL counts days from there
READ = """
    SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NULL
                THEN pg_snapshot_xmin(pg_current_snapshot())::text::bigint END,
           string_agg(int8send(sold.offer_id) || date_send(sold.day) || array_send(sold.units_total) || array_send(
                          CASE WHEN beside.id IS NULL THEN sold.units_promised
                               ELSE hours_add(sold.units_promised, beside.units_promised) END), '')
    FROM {days} AS sold
    LEFT JOIN (
        booking_capacityday AS beside
        JOIN catalog_offer AS loose ON loose.id = beside.offer_id AND loose.twin_id IS NOT NULL
    ) ON loose.twin_id = sold.offer_id AND beside.day = sold.day
    WHERE sold.day BETWEEN %(first)s AND %(last)s
"""
ALL = READ.format(days="booking_capacityday") + "AND sold.offer_id = ANY(%(offers)s::bigint[])"
# The days written since, and those of twins whose machines they are on.
CHANGED = READ.format(
    days="""(
        WITH changed AS (SELECT id, offer_id, day FROM booking_capacityday WHERE written >= %(since)s)
        SELECT day.* FROM booking_capacityday AS day WHERE day.id IN (
            SELECT id FROM changed
            UNION ALL
            SELECT firm.id FROM changed
            JOIN catalog_offer AS loose ON loose.id = changed.offer_id AND loose.twin_id IS NOT NULL
            JOIN booking_capacityday AS firm ON firm.offer_id = loose.twin_id AND firm.day = changed.day
        ))"""
)


class Hours:
    """(existing, promised) units [offers, hours] from the whole hour `first` on; hours without a CapacityDay have none.

    `offers` are keys in ascending order.
    """

    def __init__(self, *, offers: Sequence[int], first: datetime, hours: int) -> None:
        self.offers, self.first, self.hours = list(offers), first, hours
        self._keys = np.array(self.offers, dtype=np.int64)
        self._last = (first + hours * HOUR).date()
        self._since: int | None = None
        self._read_all()

    def read_again(self) -> list[int]:
        """Take over what has changed since the last reading; the indices of all offers that may have other units."""
        return self.take_over(self.ask_again())

    def ask_again(self) -> Answer | None:
        """Ask what has changed since the last reading; None where all must be read again."""
        return None if self._since is None else self._ask(self._since)

    def take_over(self, asked: Answer | None) -> list[int]:
        """The answer to `ask_again`, as `read_again` gives it."""
        if asked is None:
            return self._read_all()
        self._since, rows = self._answer(asked)
        return self._enter(rows)

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
        since, rows = self._answer(self._ask(None))
        self._grids = np.zeros((2, *shape, HOURS_OF_DAY), dtype=np.int64)
        self._enter(rows)
        self._since = since
        return list(range(len(self.offers)))

    def _ask(self, since: int | None) -> Answer:
        asked: dict[str, Any] = {"first": self.first.date(), "last": self._last, "since": since}
        if since is None:
            asked["offers"] = numbers(self.offers)
        return ask(ALL if since is None else CHANGED, asked)

    def _answer(self, asked: Answer) -> tuple[int | None, npt.NDArray[Any]]:
        """(where the next reading may begin, the rows of these offers written since the last one, or all of them)."""
        with asked:
            begin, content = cast("tuple[int | None, bytes | None]", asked.fetchone())
        rows = np.frombuffer(content or b"", dtype=ROW)
        return begin, rows[np.isin(rows["offer"], self._keys)]

    def _enter(self, rows: npt.NDArray[Any]) -> list[int]:
        place = np.searchsorted(self._keys, rows["offer"])
        day = rows["day"] - (self.first.date().toordinal() - DAYS_BEFORE)
        for grid, name in zip(self._grids, ("total", "promised"), strict=True):
            grid[place, day] = rows[name]["hours"]["units"]
        return [int(each) for each in np.unique(place)]
