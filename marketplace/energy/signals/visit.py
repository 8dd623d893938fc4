"""One fetch of one zone, as every source over the network makes it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime

from marketplace.energy.signals.base import SignalPoint
from marketplace.energy.signals.door import Door
from marketplace.energy.signals.sources import Account


def edition_of(asked_at: datetime) -> str:
    """`20261124T104000Z`: what a source said at this moment is one vintage."""
    return asked_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


@dataclass(frozen=True, slots=True)
class Visit(ABC):
    """One fetch: through which door, as whom, and the source's name for the zone."""

    door: Door
    account: Account
    region: str
    asked_at: datetime

    @property
    def source(self) -> str:
        """Who is asked."""
        return self.door.source

    @property
    def vintage(self) -> str:
        """The edition that the answers belong to."""
        return edition_of(self.asked_at)

    @abstractmethod
    def points(self, *, zone: str, start: datetime, end: datetime) -> list[SignalPoint]:
        """All that the source knows of `zone` in [start, end), two whole hours; raises ProviderError."""
