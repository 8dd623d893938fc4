"""Months of UTC, half-open, as bills count them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MOMENT = timedelta(microseconds=1)
OPEN_FOR = timedelta(days=2)
FORM = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One month.

    It takes what is charged for it until two days into the next one, and is closed then: agents that could not be
    reached at its end have come back, and what is charged later belongs to the month that is open by then.
    """

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> "Month":
        """The month `moment` lies in."""
        moment = moment.astimezone(UTC)
        return cls(moment.year, moment.month)

    @classmethod
    def read(cls, text: str) -> "Month | None":
        """`2026-11`; None for what is no month."""
        found = FORM.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found and int(found[1]) else None

    @classmethod
    def open_at(cls, now: datetime) -> "Month":
        """The earliest month that still takes charges at `now`: all before it are closed."""
        return cls.of(now - OPEN_FOR)

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The start of the next month."""
        return self.next.start

    @property
    def next(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def closes_at(self) -> datetime:
        return self.end + OPEN_FOR

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"
