"""Files of meters that were imported."""

from dataclasses import dataclass
from datetime import datetime

from .objects import Record


@dataclass(frozen=True, kw_only=True)
class MeterImport(Record):
    """A file of readings as a whole: hours written, and hours left out since a part of them was missing."""

    kind: str = ""
    state: str = ""
    rows: int = 0
    incomplete_hours: int = 0
    sha256: str = ""
    imported_at: datetime | None = None
