"""Objects as aligned columns, CSV or JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len

T = TypeVar("T")


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column: its name and machine value (CSV), and its text (table)."""

    name: str
    value: Callable[[T], object]
    text: Callable[[T], str] | None = None
    right: bool = False

    def cell(self, item: T) -> str:
        """The text shown to people."""
        if self.text is not None:
            return self.text(item)
        value = self.value(item)
        return "–" if value is None else str(value)


def as_table(columns: Sequence[Column[T]], items: Sequence[T]) -> list[str]:
    """One line per item, columns two spaces apart. Width counts Chinese characters as two."""
    return aligned([[column.cell(item) for column in columns] for item in items], [c.right for c in columns])


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """`rows` with every column as wide as its widest cell; no spaces at the end of a line."""
    widths = [max(map(cell_len, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for cell, width, to_right in zip(row, widths, right, strict=True):
            gap = " " * (width - cell_len(cell))
            cells.append(gap + cell if to_right else cell + gap)
        lines.append("  ".join(cells).rstrip())
    return lines


def as_csv(columns: Sequence[Column[T]], items: Sequence[T]) -> str:
    """RFC 4180 with a header; values as the API has them."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    writer.writerows([["" if (v := column.value(item)) is None else v for column in columns] for item in items])
    return sheet.getvalue().rstrip("\n")


def as_json(value: Any) -> str:
    """Readable JSON with its own characters."""
    return json.dumps(value, ensure_ascii=False, indent=2)
