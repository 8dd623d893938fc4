"""The sources that can be asked over the network: plain facts, read by the settings and by the tasks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

HOURLY = timedelta(hours=1)

# Areas of the transparency platform (EIC codes); that of Germany is the bidding zone with Luxembourg.
EIC = {
    "DE": "10Y1001A1001A82H", "ES": "10YES-REE------0", "FR": "10YFR-RTE------C", "NO": "10YNO-0--------C",
    "SE": "10YSE-1--------K",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """How one source may be asked. `delay` after its end an hour is usually told; after `patience` a zone is stale.

    `longest` is the span of one question, `revises` how far back known hours are asked for again. `needs` are the parts
    of an account that it wants. `regions` are its names for our zones, and `same_names` says that it uses ours.
    """

    name: str
    base: str
    delay: timedelta
    longest: timedelta
    revises: timedelta
    patience: timedelta = timedelta(hours=6)
    needs: tuple[str, ...] = ("key",)
    marginal: bool = False
    same_names: bool = False
    regions: Mapping[str, str] = field(default_factory=dict)

    def region_of(self, zone: str) -> str:
        """Its name for `zone`; empty when it has to be given."""
        return zone if self.same_names else self.regions.get(zone, "")


@dataclass(frozen=True, slots=True)
class Account:
    """Where a source is asked, and as whom; what it does not need is empty."""

    base: str
    key: str = ""
    user: str = ""

    def __repr__(self) -> str:
        return f"Account({self.base})"  # keys stay out of logs and traces


@dataclass(frozen=True, slots=True)
class FeedSetting:
    """One zone served by one source, which calls it `region`."""

    provider: str
    zone: str
    region: str


@dataclass(frozen=True, slots=True)
class Signals:
    """The settings of signals: which zones are served by which source, and the account at each."""

    feeds: tuple[FeedSetting, ...]
    accounts: Mapping[str, Account]


SOURCES = {
    source.name: source
    for source in (
        Source(
            "electricity_maps", "https://api.electricitymaps.com/v3", delay=timedelta(minutes=10),
            longest=timedelta(days=10), revises=timedelta(days=2), same_names=True,
        ),
        Source(
            "entsoe", "https://web-api.tp.entsoe.eu/api", delay=timedelta(minutes=15), longest=timedelta(days=7),
            revises=timedelta(days=2), regions=EIC,
        ),
        Source(
            "uk_carbon", "https://api.carbonintensity.org.uk", delay=timedelta(minutes=10), longest=timedelta(days=13),
            revises=timedelta(days=1), needs=(), regions={"GB": "GB"},
        ),
        Source(
            "watttime", "https://api.watttime.org", delay=timedelta(minutes=10), longest=timedelta(days=31),
            revises=timedelta(days=1), needs=("user", "key"), marginal=True, regions={"US-CAL-CISO": "CAISO_NORTH"},
        ),
    )
}  # fmt: skip
