"""Tables that people send, read strictly: every row becomes values, or a fault that names its line and its heading.

Pure text in, values out; what a column means is said by the kind of file (`Column`). CSV in UTF-8 with or without its
mark, separated by comma or semicolon, plain or gzipped.
"""

import csv
import difflib
import gzip
import io
import zlib
from bisect import insort
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from marketplace.energy.errors import WrongImport
from marketplace.energy.imports.cells import WrongCell, plain_heading

MOST_BYTES = 50 * 1024 * 1024
MOST_UNPACKED_BYTES = 400 * 1024 * 1024
MOST_ROWS = 2_000_000
FAULTS_LISTED = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a file: the line (the headings are line 1), the heading, why, and the mend."""

    line: int
    column: str
    code: str
    detail: str
    hint: str = ""


@dataclass
class Faults:
    """All that is wrong with a file: `count` of them, and the first 100 by their lines."""

    listed: list[Fault] = field(default_factory=list)
    count: int = 0

    def add(self, fault: Fault) -> None:
        self.count += 1
        if len(self.listed) < FAULTS_LISTED or fault.line < self.listed[-1].line:
            insort(self.listed, fault, key=lambda each: each.line)
            del self.listed[FAULTS_LISTED:]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a kind of file: its name, its headings in lower case (the usual one first), how a cell is read.

    `read` raises WrongCell. A column that is not `needed` may be missing: its values are None then.
    """

    name: str
    headings: tuple[str, ...]
    read: Callable[[str], Any]
    needed: bool = True


class Row(NamedTuple):
    """A row without a fault in any cell: its line, and its values in the order of the columns."""

    line: int
    values: list[Any]


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


def headings_of(text: str) -> list[str]:
    """The headings of a table as they are compared: lower case, single spaces."""
    return [plain_heading(name) for name in next(_cells(text), [])]


@dataclass
class Sheet:
    """The rows of one file under `columns`. Reading them collects its `faults`.

    Only rows whose text in the column named first in `only` is one of those beside it are looked at, where it is given.
    """

    text: str
    columns: Sequence[Column]
    only: tuple[str, Collection[str]] | None = None
    faults: Faults = field(default_factory=Faults)
    _headings: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._headings = [name.strip() for name in next(_cells(self.text), [])]
        plain = [plain_heading(name) for name in self._headings]
        for column in self.columns:
            found = next((plain.index(spelling) for spelling in column.headings if spelling in plain), None)
            if found is not None:
                self._places[column.name] = found
            elif column.needed:
                close = difflib.get_close_matches(column.headings[0], plain, n=1, cutoff=0.5)
                near = f"the nearest heading is {self._headings[plain.index(close[0])]!r}" if close else ""
                self.faults.add(Fault(1, column.headings[0], "missing_column", "there is no such heading", near))
        self._is_whole = not self.faults.count
        self._order = [(column.read, self._places.get(column.name)) for column in self.columns]

    def rows(self) -> Iterator[Row]:
        """The rows whose every cell is right, in order; none where a heading is missing.

        Raises WrongImport for a file with too many rows or one that is no CSV.
        """
        if not self._is_whole:
            return
        rows = _cells(self.text)
        next(rows, None)
        for line, cells in enumerate(rows, start=2):
            if line > MOST_ROWS + 1:
                raise WrongImport(f"the file has more than {MOST_ROWS} rows", hint="split it by year")
            row = self._row(line, cells) if cells else None
            if row:
                yield row

    def texts(self, name: str) -> Iterator[str]:
        """What stands in the column `name`, row by row, as it is."""
        if name in self._places:
            place, rows = self._places[name], _cells(self.text)
            next(rows, None)
            yield from (cells[place].strip() for cells in rows if len(cells) > place)

    def heading(self, name: str) -> str:
        """The heading of a column as the file writes it, else as it is usually written."""
        if name in self._places:
            return self._headings[self._places[name]]
        return next((column.headings[0] for column in self.columns if column.name == name), name)

    def fault(self, line: int, name: str, code: str, detail: str, hint: str = "") -> None:
        """Something is wrong with the row at `line`, as its column `name` shows."""
        self.faults.add(Fault(line, self.heading(name), code, detail, hint))

    def _row(self, line: int, cells: list[str]) -> Row | None:
        if len(cells) != len(self._headings):
            hint = "write decimals with a point, and quote cells that hold the separator"
            detail = f"the row has {len(cells)} cells, the headings are {len(self._headings)}"
            last = self._headings[min(len(cells), len(self._headings)) - 1]
            self.faults.add(Fault(line, last, "missing_column", detail, hint))
            return None
        if self.only and cells[self._places[self.only[0]]].strip() not in self.only[1]:
            return None
        values, right = [], True
        for read, place in self._order:
            try:
                values.append(None if place is None else read(cells[place].strip()))
            except WrongCell as wrong:
                self.faults.add(Fault(line, self._headings[place or 0], wrong.code, wrong.detail, wrong.hint))
                right = False
        return Row(line, values) if right else None


def _cells(text: str) -> Iterator[list[str]]:
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from reader
    except csv.Error as error:
        raise WrongImport(f"line {reader.line_num} is no CSV: {error}", line=reader.line_num) from error
