"""Files of yearly figures of grids (`grid_yearly`): the whole file or nothing of it.

Where a source publishes one intensity only, it stands for both; the residual mix may be missing, but not half of it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from marketplace.energy.copying import wait_for_turn
from marketplace.energy.imports.cells import WrongCell, intensity_mg, label, share_ppm, whole
from marketplace.energy.imports.grid import VINTAGE_DIGITS, known_zones, zone_of
from marketplace.energy.imports.gridsheet import known_zone
from marketplace.energy.imports.sheets import Column, Sheet, text_of
from marketplace.energy.imports.taking import Sent, Taken, take_whole
from marketplace.energy.models import GridYear, ImportFile

KIND = "grid_yearly"
FIRST, LAST = 1990, 2200
PPM_EXPONENT = 6


class YearRow(NamedTuple):
    """One row in the order of the columns: intensities in mg/kWh, shares in ppm; None where the file says nothing."""

    zone: str
    year: int
    direct_mg: int | None
    lifecycle_mg: int | None
    renewable_ppm: int
    carbon_free_ppm: int | None
    residual_mg: int | None
    residual_renewable_ppm: int | None
    source: str


def columns(known: Collection[str]) -> list[Column]:
    """The columns of the file, of which some may be missing."""
    share = partial(share_ppm, exponent=PPM_EXPONENT)
    return [
        Column("zone", ("zone",), partial(known_zone, known=known)),
        Column("year", ("year",), year),
        Column("direct", ("direct_intensity_gco2e_per_kwh",), _or_none(intensity_mg), needed=False),
        Column("lifecycle", ("carbon_intensity_gco2e_per_kwh",), _or_none(intensity_mg)),
        Column("renewable", ("renewable_share",), share),
        Column("carbon_free", ("carbon_free_share",), _or_none(share), needed=False),
        Column("residual", ("residual_intensity_gco2e_per_kwh",), _or_none(intensity_mg), needed=False),
        Column("residual_renewable", ("residual_renewable_share",), _or_none(share), needed=False),
        Column("source", ("source",), partial(label, most=24)),
    ]


def year(text: str) -> int:
    """A calendar year; raises WrongCell."""
    value = whole(text)
    if not FIRST <= value <= LAST:
        raise WrongCell("bad_number", f"{text} is no year of ours", f"{FIRST} to {LAST}")
    return value


def _or_none(read: Any) -> Any:
    return lambda text: read(text) if text else None


@dataclass
class YearSheet:
    """The rows of one file; whatever is wrong with one is a fault."""

    sheet: Sheet
    rows: list[YearRow] = field(default_factory=list)
    _seen: dict[tuple[str, int], int] = field(default_factory=dict)

    def read(self) -> None:
        for line, values in self.sheet.rows():
            row = YearRow._make(values)
            if self._is_right(line, row):
                self.rows.append(row)

    def _is_right(self, line: int, row: YearRow) -> bool:
        fault = self.sheet.fault
        earlier = self._seen.setdefault((row.zone, row.year), line)
        if earlier != line:
            fault(
                line, "year", "duplicate_hour", f"{row.zone} {row.year} stands in line {earlier}", "keep one of the two"
            )
        elif row.direct_mg is None and row.lifecycle_mg is None:
            fault(line, "lifecycle", "bad_number", "no intensity is told", "one of the two is needed")
        elif row.carbon_free_ppm is not None and row.renewable_ppm > row.carbon_free_ppm:
            detail, hint = "less is carbon-free than renewable", "carbon-free is renewable plus nuclear"
            fault(line, "carbon_free", "share_out_of_range", detail, hint)
        elif (row.residual_mg is None) != (row.residual_renewable_ppm is None):
            where = "residual" if row.residual_mg is None else "residual_renewable"
            fault(line, where, "bad_number", "only half of the residual mix is told", "both of it, or neither")
        else:
            return True
        return False


def import_grid_years(*, data: bytes, now: datetime) -> ImportFile:
    """Import yearly figures; any fault imports nothing. Raises WrongImport for what cannot be read as a table."""
    sent = Sent.of(data, kind=KIND, now=now)
    found = YearSheet(Sheet(text_of(data), columns(known_zones())))
    return take_whole(
        sent=sent, faults=found.sheet.faults, read=found.read, wait=wait_for_turn, take=lambda: _take(found.rows, sent)
    )


def _take(rows: Collection[YearRow], sent: Sent) -> Taken:
    vintage = sent.sha256[:VINTAGE_DIGITS]
    keys = {code: zone_of(code).pk for code in sorted({row.zone for row in rows})}
    made = GridYear.objects.bulk_create(_as_row(row, keys[row.zone], vintage, sent.at) for row in rows)
    return Taken(len(made))


def _as_row(row: YearRow, zone: int, vintage: str, now: datetime) -> GridYear:
    told = [each for each in (row.direct_mg, row.lifecycle_mg) if each is not None]
    return GridYear(
        zone_id=zone, year=row.year, direct_mg_per_kwh=told[0], lifecycle_mg_per_kwh=told[-1],
        renewable_ppm=row.renewable_ppm,
        carbon_free_ppm=row.renewable_ppm if row.carbon_free_ppm is None else row.carbon_free_ppm,
        residual_mg_per_kwh=row.residual_mg, residual_renewable_ppm=row.residual_renewable_ppm,
        source=row.source, vintage=vintage, published_at=now,
    )  # fmt: skip
