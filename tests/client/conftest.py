"""A stand-in marketplace and a client that talks to it; the sleep between tries is recorded, not slept."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine
from joulemart import Client, RetryPolicy

from . import answers, receipt_scene, scene
from .stand_in import KEY, Answer, StandIn

MORNING = datetime(2026, 11, 24, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


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
    market.on("GET", "/me", Answer(answers.me()))
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


@pytest.fixture
def session(market: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A signed-in shell in Shanghai, Tuesday 09:00, in a folder with two job files, without a terminal."""
    monkeypatch.setenv("JOULEMART_URL", market.url)
    monkeypatch.setenv("JOULEMART_API_KEY", KEY)
    monkeypatch.setattr(RetryPolicy, "jitter", lambda policy, retry: 0.0)
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text(answers.JOB_FILE)
    Path("bad.yaml").write_text(answers.JOB_FILE.replace("accelerators:", "accelerator:"))
    Path("src").mkdir()
    Path("src/factor.py").write_text("print(60)")
    Path("src/.env").write_text("SECRET=1")
    Path("budget.yaml").write_text(answers.JOB_FILE.rstrip() + "\n    budget_stop: true\n")
    Path("with_workdir.yaml").write_text("workdir: src\n" + answers.JOB_FILE)
    scene.set_up(market)
    receipt_scene.set_up(market)
    with time_machine.travel(MORNING, tick=False):
        yield
