"""Which adapter speaks with which source, and one of them made ready for a fetch."""

from collections.abc import Mapping
from datetime import datetime

import httpx

from marketplace.energy.signals.base import SignalProvider
from marketplace.energy.signals.door import Door
from marketplace.energy.signals.electricity_maps import ElectricityMaps
from marketplace.energy.signals.entsoe import Entsoe
from marketplace.energy.signals.sources import Account
from marketplace.energy.signals.uk_carbon import UkCarbon
from marketplace.energy.signals.visit import Visit
from marketplace.energy.signals.watttime import WattTime

ADAPTERS: Mapping[str, type[Visit]] = {
    "electricity_maps": ElectricityMaps, "entsoe": Entsoe, "uk_carbon": UkCarbon, "watttime": WattTime,
}  # fmt: skip


def provider_of(
    name: str, *, account: Account, region: str, asked_at: datetime, client: httpx.Client
) -> SignalProvider:
    """The source `name`, ready to be asked once about `region`; raises LookupError for an unknown one."""
    door = Door(source=name, base=account.base, client=client, asked_at=asked_at)
    return ADAPTERS[name](door=door, account=account, region=region, asked_at=asked_at)
