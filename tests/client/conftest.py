"""A stand-in marketplace and a client that talks to it; the sleep between tries is recorded, not slept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from joulemart import Client, RetryPolicy

from .stand_in import KEY, Answer, StandIn


@pytest.fixture
def market() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(market: StandIn, pauses: list[float]) -> Iterator[Client]:
    from .answers import me

    market.on("GET", "/me", Answer(me()))
    policy = RetryPolicy(uniform=lambda low, high: high)
    with Client(url=market.url, api_key=KEY, policy=policy, sleep=pauses.append) as made:
        yield made


@pytest.fixture(autouse=True)
def _nobody_is_signed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key of the machine reaches a test."""
    for name in ("JOULEMART_URL", "JOULEMART_API_KEY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "120")
