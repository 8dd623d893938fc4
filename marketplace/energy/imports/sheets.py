"""Hourly grid files, read strictly: every row becomes whole numbers, or a fault that names its line and column.

Pure text in, numbers out: `grid_hourly` is our own layout, `grid_portal` the CSV of the Electricity Maps portal under
both sets of headings that it has used. Decimals are scaled exactly (never through binary fractions): g/kWh to mg/kWh,
shares to ppm, a digit beyond that rounded half to even.
"""

import csv
import difflib
import gzip
import io
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from marketplace.energy.errors import WrongImport
from marketplace.energy.imports.cells import WrongCell, intensity_mg, plain_heading, share_ppm, whole_hour, yes_or_no

MOST_BYTES = 50 * 1024 * 1024
MOST_UNPACKED_BYTES = 400 * 1024 * 1024
MOST_ROWS = 2_000_000
FAULTS_LISTED = 100


FIELDS = ("zone", "start", "direct", "lifecycle", "renewable", "carbon_free", "estimated")  # as in SheetHour
SHARES = {"renewable", "carbon_free"}


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

    def fields(self) -> dict[str, tuple[str, ...]]:
        return {name: getattr(self, name) for name in FIELDS}


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


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a file: the line (the headings are line 1), the heading, why, and the mend."""

    line: int
    column: str
    code: str
    detail: str
    hint: str = ""


class SheetHour(NamedTuple):
    """One row that is right: intensities in mg/kWh, shares in ppm."""

    zone: str
    start: datetime
    direct_mg: int
    lifecycle_mg: int
    renewable_ppm: int
    carbon_free_ppm: int
    estimated: bool


def text_of(data: bytes) -> str:
    """The text of an upload, plain or gzipped, UTF-8 with or without its mark; raises WrongImport."""
    if len(data) > MOST_BYTES:
        raise WrongImport(f"the file has {len(data)} bytes, at most {MOST_BYTES} are read", hint="split it by year")
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MOST_UNPACKED_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise WrongImport(
                f"the gzip file is damaged: {error}", hint="send it again, or send it unpacked"
            ) from error
        if len(data) > MOST_UNPACKED_BYTES:
            raise WrongImport(f"unpacked, the file exceeds {MOST_UNPACKED_BYTES} bytes", hint="split it by year")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise WrongImport(f"line {line} is not UTF-8", hint="save the file as CSV UTF-8", line=line) from error


@dataclass
class Sheet:
    """The rows of one file. Reading them collects `faults` (the first 100) and counts all in `fault_count`."""

    text: str
    layout: Layout
    known: Collection[str]
    wanted: Collection[str] = ()
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    _place: dict[str, int] = field(default_factory=dict)
    _headings: list[str] = field(default_factory=list)
    _seen: dict[tuple[str, datetime], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = self.text.split("\n", 1)[0]
        self._delimiter = ";" if first.count(";") > first.count(",") else ","
        self._headings = [name.strip() for name in next(self._rows(), [])]
        plain = [plain_heading(name) for name in self._headings]
        for name, spellings in self.layout.fields().items():
            found = next((plain.index(spelling) for spelling in spellings if spelling in plain), None)
            if found is None:
                close = difflib.get_close_matches(spellings[0], plain, n=1, cutoff=0.5)
                near = f"the nearest heading is {self._headings[plain.index(close[0])]!r}" if close else ""
                self._add(1, spellings[0], "missing_column", "there is no such heading", near)
            else:
                self._place[name] = found

    def zones(self) -> set[str]:
        """The known zones that occur and are wanted."""
        if "zone" not in self._place:
            return set()
        place, rows = self._place["zone"], self._rows()
        next(rows, None)
        return {row[place].strip() for row in rows if len(row) > place} & set(self.wanted or self.known)

    def hours(self) -> Iterator[SheetHour]:
        """The rows of wanted zones in order; nothing more once there is a fault, but reading on finds the others.

        Raises WrongImport for a file with too many rows or one that is no CSV.
        """
        if self.faults:
            return
        rows = self._rows()
        next(rows, None)
        for line, row in enumerate(rows, start=2):
            if line > MOST_ROWS + 1:
                raise WrongImport(f"the file has more than {MOST_ROWS} rows", hint="split it by year")
            hour = self._hour(line, row) if row else None
            if hour and not self.fault_count:
                yield hour

    def _rows(self) -> Iterator[list[str]]:
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self._delimiter)
        try:
            yield from reader
        except csv.Error as error:
            raise WrongImport(f"line {reader.line_num} is no CSV: {error}", line=reader.line_num) from error

    def _hour(self, line: int, row: list[str]) -> SheetHour | None:
        if len(row) != len(self._headings):
            hint = "write decimals with a point, and quote cells that hold the separator"
            detail = f"the row has {len(row)} cells, the headings are {len(self._headings)}"
            self._add(line, self._headings[min(len(row), len(self._headings)) - 1], "missing_column", detail, hint)
            return None
        cells = {name: row[place].strip() for name, place in self._place.items()}
        if self.wanted and cells["zone"] not in self.wanted:
            return None
        values: dict[str, Any] = {name: self._cell(line, name, text) for name, text in cells.items()}
        if None in values.values():
            return None
        return self._checked(line, SheetHour._make(values[name] for name in FIELDS))

    def _cell(self, line: int, name: str, text: str) -> Any:
        """The value of one cell, or None and a fault."""
        try:
            if name == "zone":
                return self._known_zone(text)
            if name == "start":
                return whole_hour(text, naive_is_utc=self.layout.naive_is_utc)
            if name == "estimated":
                return yes_or_no(text)
            return share_ppm(text, self.layout.share_exponent) if name in SHARES else intensity_mg(text)
        except WrongCell as wrong:
            self._add(line, self._heading(name), wrong.code, wrong.detail, wrong.hint)
            return None

    def _known_zone(self, code: str) -> str:
        if code in self.known:
            return code
        close = difflib.get_close_matches(code, self.known, n=1)
        raise WrongCell("wrong_zone", f"no grid zone is called {code!r}", f"did you mean {close[0]}?" if close else "")

    def _checked(self, line: int, hour: SheetHour) -> SheetHour | None:
        """What no cell shows alone: the order of the shares, and each hour once."""
        earlier = self._seen.setdefault((hour.zone, hour.start), line)
        if earlier != line:
            detail = f"{hour.zone} at this hour stands in line {earlier} already"
            self._add(line, self._heading("start"), "duplicate_hour", detail, "keep one of the two")
            return None
        if hour.renewable_ppm > hour.carbon_free_ppm:
            detail, hint = "less is carbon-free than renewable", "carbon-free is renewable plus nuclear"
            self._add(line, self._heading("carbon_free"), "share_out_of_range", detail, hint)
            return None
        return hour

    def _heading(self, name: str) -> str:
        return self._headings[self._place[name]]

    def _add(self, line: int, column: str, code: str, detail: str, hint: str = "") -> None:
        self.fault_count += 1
        if len(self.faults) < FAULTS_LISTED:
            self.faults.append(Fault(line, column, code, detail, hint))
