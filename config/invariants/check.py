"""What a check is: a promise, the rows it looks at, and queries that answer only what breaks it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

FIRST = 100  # anomalies told of each check; all are counted


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant.

    `rows` counts what is looked at. Each query of `queries` answers (key, expected, found) for every row that breaks
    the promise; `%(patience)s` is how long the sweeps may take. `corrupt` breaks one row, statement by statement: the
    last one must change at least one.
    """

    id: str
    promise: str
    rows: str
    queries: tuple[str, ...]
    corrupt: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One broken row."""

    key: str
    expected: str
    found: str


@dataclass(slots=True)
class Finding:
    """What one check found."""

    id: str
    rows: int = 0
    ms: int = 0
    anomalies_total: int = 0
    anomalies: Sequence[Anomaly] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The finding with its first anomalies."""
        listed = [{"key": each.key, "expected": each.expected, "found": each.found} for each in self.anomalies]
        return {
            "id": self.id,
            "rows": self.rows,
            "ms": self.ms,
            "anomalies_total": self.anomalies_total,
            "anomalies": listed,
        }
