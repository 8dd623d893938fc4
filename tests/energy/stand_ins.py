"""Stand-ins for the sources: recorded answers, or failures, over httpx without a network."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx

from marketplace.energy.signals.base import SignalProvider
from marketplace.energy.signals.registry import provider_of
from marketplace.energy.signals.sources import Account

RECORDED = Path(__file__).parent / "recorded"
NOW = datetime(2026, 11, 24, 10, 40, tzinfo=UTC)
EIGHT, NINE, TEN = (datetime(2026, 11, 24, hour, tzinfo=UTC) for hour in (8, 9, 10))
ACCOUNTS = {
    "electricity_maps": Account("https://maps.example.test/v3", key="maps-key"),
    "entsoe": Account("https://entsoe.example.test/api", key="entsoe-key"),
    "uk_carbon": Account("https://carbon.example.test"),
    "watttime": Account("https://watt.example.test", key="watt-password", user="watt-user"),
}
REGIONS = {"electricity_maps": "DE", "entsoe": "10Y1001A1001A82H", "uk_carbon": "GB", "watttime": "CAISO_NORTH"}
ZONES = {"electricity_maps": "DE", "entsoe": "DE", "uk_carbon": "GB", "watttime": "US-CAL-CISO"}
FILES = {
    ("maps", "/v3/carbon-intensity/past-range", "lifecycle"): "electricity_maps_lifecycle.json",
    ("maps", "/v3/carbon-intensity/past-range", "direct"): "electricity_maps_direct.json",
    ("maps", "/v3/renewable-energy/past-range", ""): "electricity_maps_renewable.json",
    ("maps", "/v3/carbon-free-energy/past-range", ""): "electricity_maps_carbon_free.json",
    ("watt", "/login", ""): "watttime_login.json",
    ("watt", "/v3/historical", ""): "watttime_historical.json",
    ("carbon", "/intensity/2026-11-24T08:00Z/2026-11-24T10:00Z", ""): "uk_carbon_intensity.json",
    ("carbon", "/generation/2026-11-24T08:00Z/2026-11-24T10:00Z", ""): "uk_carbon_generation.json",
    ("entsoe", "/api", ""): "entsoe_generation.xml",
}

Handler = Callable[[httpx.Request], httpx.Response]


def recorded(request: httpx.Request) -> httpx.Response:
    """The file that answers this request; 404 for one that the documentation does not know."""
    host, kind = request.url.host.split(".")[0], request.url.params.get("emissionFactorType", "")
    name = FILES.get((host, request.url.path, kind))
    return httpx.Response(200, content=(RECORDED / name).read_bytes()) if name else httpx.Response(404)


def always(status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> Handler:
    """A source that answers everything alike."""
    return lambda _: httpx.Response(status, content=content, headers=headers)


def never(_: httpx.Request) -> httpx.Response:
    """A source that does not answer in time."""
    raise httpx.ReadTimeout("no answer")


def client_of(handler: Handler) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(handler))


def ask(name: str, handler: Handler, *, now: datetime = NOW) -> SignalProvider:
    """The source `name`, behind which `handler` stands."""
    return provider_of(
        name, account=ACCOUNTS[name], region=REGIONS[name], asked_at=now, client=client_of(handler)
    )  # fmt: skip
