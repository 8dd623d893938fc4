"""Hourly grid files: `grid_hourly` is our own layout, `grid_portal` the CSV of the Electricity Maps portal under both
sets of headings that it has used. Decimals are scaled exactly (never through binary fractions): g/kWh to mg/kWh, shares
to ppm, a digit beyond that rounded half to even.
"""

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from marketplace.energy.imports.cells import WrongCell, intensity_mg, share_ppm, whole_hour, yes_or_no
from marketplace.energy.imports.sheets import Column, Faults, Sheet


@dataclass(frozen=True, slots=True)
class Layout:
    """The headings of one kind of file, in lower case, the usual one first."""

    source: str
    zone: tuple[str, ...]
    start: tuple[str, ...]
    direct: tuple[str, ...]
    lifecycle: tuple[str, ...]
    renewable: tuple[str, ...]
    carbon_free: tuple[str, ...]
    estimated: tuple[str, ...]
    share_exponent: int  # 10 to this power makes ppm
    naive_is_utc: bool

    def columns(self, known: Collection[str]) -> list[Column]:
        """In the order of SheetHour."""
        share = partial(share_ppm, exponent=self.share_exponent)
        return [
            Column("zone", self.zone, partial(known_zone, known=known)),
            Column("start", self.start, partial(whole_hour, naive_is_utc=self.naive_is_utc)),
            Column("direct", self.direct, intensity_mg),
            Column("lifecycle", self.lifecycle, intensity_mg),
            Column("renewable", self.renewable, share),
            Column("carbon_free", self.carbon_free, share),
            Column("estimated", self.estimated, yes_or_no),
        ]


LAYOUTS = {
    "grid_hourly": Layout(
        source="electricity_maps",
        zone=("zone",),
        start=("utc_hour",),
        direct=("direct_intensity_gco2e_per_kwh",),
        lifecycle=("carbon_intensity_gco2e_per_kwh",),
        renewable=("renewable_share",),
        carbon_free=("carbon_free_share",),
        estimated=("estimated",),
        share_exponent=6,
        naive_is_utc=False,
    ),
    "grid_portal": Layout(
        source="electricity_maps",
        zone=("zone id",),
        start=("datetime (utc)",),
        direct=("carbon intensity gco2eq/kwh (direct)",),
        lifecycle=("carbon intensity gco2eq/kwh (life cycle)", "carbon intensity gco2eq/kwh (lca)"),
        renewable=("renewable energy percentage (re%)", "renewable percentage"),
        carbon_free=("carbon-free energy percentage (cfe%)", "low carbon percentage"),
        estimated=("data estimated",),
        share_exponent=4,
        naive_is_utc=True,
    ),
}


class SheetHour(NamedTuple):
    """One row that is right: intensities in mg/kWh, shares in ppm."""

    zone: str
    start: datetime
    direct_mg: int
    lifecycle_mg: int
    renewable_ppm: int
    carbon_free_ppm: int
    estimated: bool


def known_zone(code: str, known: Collection[str]) -> str:
    """The code of one of the `known` zones; raises WrongCell, naming the nearest."""
    if code in known:
        return code
    close = difflib.get_close_matches(code, known, n=1)
    raise WrongCell("wrong_zone", f"no grid zone is called {code!r}", f"did you mean {close[0]}?" if close else "")


class GridSheet:
    """The hours of one file: of all zones that are `known`, or of those `wanted`."""

    def __init__(self, text: str, layout: Layout, known: Collection[str], wanted: Collection[str] = ()) -> None:
        self.layout = layout
        self._asked = frozenset(wanted or known)
        self._sheet = Sheet(text, layout.columns(known), ("zone", frozenset(wanted)) if wanted else None)
        self._seen: dict[tuple[str, datetime], int] = {}

    @property
    def faults(self) -> Faults:
        return self._sheet.faults

    def zones(self) -> set[str]:
        """The known zones that occur and are wanted."""
        return set(self._sheet.texts("zone")) & self._asked

    def hours(self) -> Iterator[SheetHour]:
        """The rows of wanted zones in order; nothing more once there is a fault, but reading on finds the others.

        Raises WrongImport for a file with too many rows or one that is no CSV.
        """
        for line, values in self._sheet.rows():
            hour = SheetHour._make(values)
            if self._is_right(line, hour) and not self.faults.count:
                yield hour

    def _is_right(self, line: int, hour: SheetHour) -> bool:
        """What no cell shows alone: the order of the shares, and each hour once."""
        earlier = self._seen.setdefault((hour.zone, hour.start), line)
        if earlier != line:
            detail = f"{hour.zone} at this hour stands in line {earlier} already"
            self._sheet.fault(line, "start", "duplicate_hour", detail, "keep one of the two")
            return False
        if hour.renewable_ppm > hour.carbon_free_ppm:
            detail, hint = "less is carbon-free than renewable", "carbon-free is renewable plus nuclear"
            self._sheet.fault(line, "carbon_free", "share_out_of_range", detail, hint)
            return False
        return True
