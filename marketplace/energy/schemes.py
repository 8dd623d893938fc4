"""The rules of the schemes by which energy is certified (Supply ledger): units, what they certify, and until when.

A green certificate of China (GEC) is of a month at UTC+8, all others count in UTC. What is said here of the expiry of
GEC and GO is to be confirmed before it is shown to customers.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from marketplace.energy.models import Resolution, Scheme, Technology

MWH = 1_000_000  # Wh
CHINA_TIME = timezone(timedelta(hours=8))
CHINA = "CN"
IREC_CLOSED_IN_CHINA = datetime(2025, 1, 1, tzinfo=CHINA_TIME)  # production from then on
HYDRO_TRADABLE_FROM = date(2023, 1, 1)  # commissioned
MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Rules:
    """One scheme: Wh of one certificate, the intervals it certifies, and months after production."""

    unit_wh: int
    resolutions: frozenset[str]
    tradable_months: int | None = None
    valid_months: int | None = None


ANY = frozenset(Resolution.values)
COARSE = frozenset({Resolution.MONTH.value, Resolution.YEAR.value})
RULES: Mapping[str, Rules] = {
    Scheme.METER: Rules(1, ANY),
    Scheme.GC: Rules(1, ANY),
    Scheme.GEC: Rules(MWH, frozenset({Resolution.MONTH.value}), valid_months=24),
    Scheme.GO: Rules(MWH, ANY, tradable_months=12, valid_months=18),
    Scheme.IREC: Rules(MWH, COARSE),
    Scheme.REC: Rules(MWH, COARSE),
}


def offset_of(scheme: str) -> timezone:
    """The calendar that a scheme counts months in."""
    return CHINA_TIME if scheme == Scheme.GEC else UTC


def months_after(moment: datetime, months: int, *, zone: timezone) -> datetime:
    """The same day and time so many months on, or the last day of a month that has no such day."""
    local = moment.astimezone(zone)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return local.replace(year=year, month=month + 1, day=min(local.day, last)).astimezone(UTC)


def expires_at(scheme: str, end: datetime, told: datetime | None = None) -> datetime | None:
    """When energy produced until `end` can no longer be used: what was `told`, and never later than the rules say."""
    months = RULES[scheme].valid_months
    limits = [] if months is None else [months_after(end, months, zone=offset_of(scheme))]
    return min([*limits, *([told] if told else [])], default=None)


def is_tradable(scheme: str, end: datetime, now: datetime) -> bool:
    """Whether a certificate of energy produced until `end` may still change hands."""
    months = RULES[scheme].tradable_months
    return months is None or now < months_after(end, months, zone=offset_of(scheme))


def is_closed(scheme: str, country: str, end: datetime) -> bool:
    """Whether the scheme issues nothing any more for production there until `end`."""
    return scheme == Scheme.IREC and country == CHINA and end > IREC_CLOSED_IN_CHINA


def gec_is_tradable(technology: str, commissioned_on: date, *, self_use: bool) -> bool:
    """Green certificates of self-used energy, and of hydropower commissioned before 2023, are not traded."""
    early_hydro = technology == Technology.HYDRO and commissioned_on < HYDRO_TRADABLE_FROM
    return not self_use and not early_hydro


def month_of(text: str) -> tuple[datetime, datetime] | None:
    """The month `text` (2026-03) at UTC+8 as [start, end) in UTC; None for what is no month."""
    found = MONTH.fullmatch(text)
    if not found:
        return None
    start = datetime(int(found[1]), int(found[2]), 1, tzinfo=CHINA_TIME)
    return start.astimezone(UTC), months_after(start, 1, zone=CHINA_TIME)
