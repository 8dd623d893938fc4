"""Months in UTC, for statements: one is shown, and its neighbours are a link away."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

FORM = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Month:
    """A month as [start, end), and the keys of its neighbours; empty where there is none to show."""

    start: datetime
    end: datetime
    earlier: str
    later: str

    @property
    def key(self) -> str:
        """`2026-11`."""
        return key_of(self.start)


def key_of(moment: datetime) -> str:
    """The month that `moment` lies in, as addresses name it."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def month_of(text: str, now: datetime, began: datetime | None) -> Month:
    """The month that `text` names; the present one for anything else, and for what lies outside of [`began`, `now`]."""
    present = first_of(now)
    first = first_of(began) if began and began < now else present
    found = FORM.fullmatch(text)
    start = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC) if found and int(found[1]) else present
    start = start if first <= start <= present else present
    end = following(start)
    earlier = key_of(before(start)) if start > first else ""
    return Month(start, end, earlier, key_of(end) if end <= present else "")


def first_of(moment: datetime) -> datetime:
    """The beginning of the month that `moment` lies in."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def following(start: datetime) -> datetime:
    """The month after the one that begins with `start`."""
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def before(start: datetime) -> datetime:
    """The month before the one that begins with `start`."""
    return start.replace(year=start.year - (start.month == 1), month=(start.month - 2) % 12 + 1)
