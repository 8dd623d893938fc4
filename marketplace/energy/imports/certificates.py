"""Certificates of a file on their way in: what is wrong with them, and lots of those that are right.

A kind of file reads its rows into `Certified`; all else is said here once. Lots wait for a reviewer (`pending`).
Whoever imports names the metering point that the certificates serve: one of his own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from marketplace.common.clock import hour_floor
from marketplace.common.units import ceil_div
from marketplace.energy import schemes
from marketplace.energy.claiming import SourceHour, claim
from marketplace.energy.imports.grid import zone_of
from marketplace.energy.imports.sheets import Sheet
from marketplace.energy.imports.taking import Sent, Taken
from marketplace.energy.issuing import NewIssuance, NewLot, write_issuances, write_lots
from marketplace.energy.models import EnergySource, GridZone, MeterPoint, Release, Technology
from marketplace.energy.models.supplyrules import resolution_of

SECONDS = 3600


class Certified(NamedTuple):
    """The Wh [lower, upper) of one issuance, as a row tells them."""

    line: int
    scheme: str
    registry: str
    issuance_id: str
    lower: int
    upper: int
    device_id: str
    technology: str
    capacity_w: int | None
    commissioned_on: date
    start: datetime
    end: datetime
    zone: str
    issuer: str
    tradable: bool = True
    underlying_serial: str | None = None
    expires_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.registry, self.issuance_id

    @property
    def wh(self) -> int:
        return self.upper - self.lower

    @property
    def facts(self) -> tuple[object, ...]:
        """What rows of one issuance have in common."""
        return (
            self.scheme, self.device_id, self.technology, self.capacity_w, self.commissioned_on, self.start, self.end,
            self.zone, self.issuer, self.underlying_serial, self.expires_at,
        )  # fmt: skip

    @property
    def serial(self) -> str:
        return f"{self.issuance_id} {self.lower}-{self.upper}"


class Wrong(NamedTuple):
    """What is wrong with a row: of what (a key of `Batch.columns`), the code, why, and the mend."""

    what: str
    code: str
    detail: str
    hint: str = ""


@dataclass
class Batch:
    """The certificates of one file. `columns` names the column in which each thing is said."""

    sheet: Sheet
    columns: Mapping[str, str]
    point: MeterPoint
    sent: Sent
    rows: list[Certified] = field(default_factory=list)
    sources: dict[str, EnergySource] = field(default_factory=dict)
    zones: dict[str, GridZone] = field(default_factory=dict)

    def add(self, row: Certified) -> None:
        """A row whose cells are right; what is wrong with it by itself is a fault."""
        wrongs = list(wrong_of(row, self.sent.at))
        for wrong in wrongs:
            self.fault(row, wrong)
        if not wrongs:
            self.rows.append(row)

    def fault(self, row: Certified, wrong: Wrong) -> None:
        self.sheet.fault(row.line, self.columns[wrong.what], wrong.code, wrong.detail, wrong.hint)

    def write(self, known: Mapping[tuple[str, str], int]) -> Taken:
        """Issuances that are not `known` by their keys yet, a lot of each row, and what they claim of their plants."""
        refused = claim(self.claims())
        if refused:
            raise RuntimeError(f"{len(refused)} hours were claimed by somebody else in the same moment")
        fresh = {row.key: row for row in self.rows if row.key not in known}
        keys = write_issuances([self._issuance(row) for row in fresh.values()])
        by_key = {**known, **dict(zip(fresh, keys, strict=True))}
        holder = self.point.organization_id
        write_lots(
            [
                NewLot(by_key[row.key], row.lower, row.upper, holder, self.point.pk, "pending", row.serial,
                       self.sent.sha256)
                for row in self.rows
            ],
            now=self.sent.at,
        )  # fmt: skip
        return Taken(len(self.rows))

    def claims(self) -> dict[SourceHour, int]:
        """How many Wh of which hours of plants of one's own the certificates are."""
        found: dict[SourceHour, int] = {}
        for row in self.rows:
            if row.device_id in self.sources and self.sources[row.device_id].is_measured:
                hour = SourceHour(self.sources[row.device_id].pk, hour_floor(row.start))
                found[hour] = found.get(hour, 0) + row.wh
        return found

    def _issuance(self, row: Certified) -> NewIssuance:
        source = self.sources.get(row.device_id)
        release = Release.STORAGE if row.technology == Technology.STORAGE else Release.PRODUCTION
        resolution = resolution_of(row.start, row.end)
        if resolution is None:
            raise ValueError(f"{row.issuance_id} is of more than a year")
        return NewIssuance(
            row.registry, row.issuance_id, row.scheme, source.pk if source else None, row.device_id,
            source.name if source else "", row.technology, row.capacity_w, row.commissioned_on, row.issuer,
            self.zones[row.zone].pk, row.start, row.end, release, resolution, "",
            row.tradable and schemes.is_tradable(row.scheme, row.end, self.sent.at), row.underlying_serial,
            schemes.expires_at(row.scheme, row.end, row.expires_at),
        )  # fmt: skip

    def find_zones(self) -> None:
        """The zones of the rows, made where they are known by name alone."""
        self.zones = {code: zone_of(code) for code in sorted({row.zone for row in self.rows})}


def wrong_of(row: Certified, now: datetime) -> Iterator[Wrong]:
    """What a row shows to be wrong by itself."""
    yield from _wrong_time(row, now)
    unit = schemes.RULES[row.scheme].unit_wh
    if row.upper <= row.lower:
        yield Wrong("wh", "bad_number", f"the range from {row.lower} to {row.upper} has no Wh", "the end is exclusive")
    elif row.lower % unit or row.upper % unit:
        yield Wrong("wh", "bad_number", f"a {row.scheme} is of {unit} Wh each", "whole certificates only")
    elif row.end > row.start and (most := capacity_wh(row)) is not None and row.wh > most:
        detail = f"{row.wh} Wh are more than {row.capacity_w} W make in that time"
        yield Wrong("wh", "exceeds_capacity", detail, f"at most {most}")


def _wrong_time(row: Certified, now: datetime) -> Iterator[Wrong]:
    if row.end <= row.start:
        yield Wrong("interval", "bad_value", "the interval ends before it begins", "the end is exclusive")
        return
    resolution = resolution_of(row.start, row.end)
    if resolution is None:
        yield Wrong("interval", "interval_too_long", f"{row.end - row.start} are more than a year", "split it")
    elif resolution not in schemes.RULES[row.scheme].resolutions:
        certified = " or ".join(sorted(schemes.RULES[row.scheme].resolutions))
        detail = f"a {row.scheme} certifies a {certified}, not a {resolution}"
        yield Wrong("interval", "not_on_grid", detail, "give the interval that the certificate states")
    if row.end > now:
        yield Wrong("interval", "bad_value", "that time is not over yet", "energy is certified after it was made")
    expires_at = schemes.expires_at(row.scheme, row.end, row.expires_at)
    if expires_at is not None and expires_at <= now:
        yield Wrong("expiry", "expired", f"it expired at {expires_at:%Y-%m-%dT%H:%MZ}", "leave it out")
    if row.end.date() < row.commissioned_on:
        detail = f"the plant was commissioned on {row.commissioned_on}, later than that"
        yield Wrong("interval", "bad_value", detail, "one of the two dates is another")


def capacity_wh(row: Certified) -> int | None:
    """The most that the plant makes in the interval; None where no capacity is told."""
    if row.capacity_w is None:
        return None
    return ceil_div(row.capacity_w * ((row.end - row.start) // timedelta(seconds=1)), SECONDS)


def by_issuance(rows: Sequence[Certified]) -> dict[tuple[str, str], list[Certified]]:
    """The rows of each issuance, lowest Wh first."""
    found: dict[tuple[str, str], list[Certified]] = {}
    for row in sorted(rows, key=lambda each: (each.key, each.lower, each.line)):
        found.setdefault(row.key, []).append(row)
    return found
