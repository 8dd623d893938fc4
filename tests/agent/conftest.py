"""An agent as its provider runs it: a program of its own, against a marketplace in this process."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.standin import KEY, Marketplace

ROOT = Path(__file__).resolve().parents[2]
AN_HOUR_OFF = (
    "import sys, time; real = time.time; time.time = lambda: real() + {shift}; "
    "from agent.cli import main; sys.exit(main(['run']))"
)


class AgentProcess:
    """The program, its folder and what it printed."""

    def __init__(
        self,
        *,
        market: Marketplace,
        state: Path,
        units: int = 4,
        shift_s: int = 0,
        as_user: int | None = None,
        **env: str,
    ) -> None:
        self.market = market
        self.state = state
        self._command = [sys.executable, "-m", "agent", "run"]
        if shift_s:
            self._command = [sys.executable, "-c", AN_HOUR_OFF.format(shift=shift_s)]
        if as_user is not None:
            self._command = [*become(as_user), python_of(as_user), "-m", "agent", "run"]
            env["PYTHONPATH"] = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
        self._env = {
            "PATH": os.environ["PATH"],
            "JOULEMART_URL": market.url,
            "JOULEMART_AGENT_KEY": KEY,
            "JOULEMART_AGENT_NAME": "test-rack",
            "JOULEMART_AGENT_STATE": str(state),
            "JOULEMART_AGENT_UNITS": str(units),
            **env,
        }
        self._output = state.parent / f"{state.name}.out"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._output.open("ab") as output:
            return subprocess.Popen(self._command, cwd=ROOT, env=self._env, stdout=output, stderr=output)

    @property
    def said(self) -> str:
        return self._output.read_text(encoding="utf-8")

    @property
    def attempts(self) -> Path:
        return self.state / "attempts"

    def kill(self) -> None:
        """As a crash would: no word to anybody."""
        self.process.kill()
        self.process.wait(10)

    def start_again(self) -> None:
        self.process = self._start()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def become(uid: int) -> list[str]:
    """The words before a command that make it run as an ordinary user."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]


def python_of(uid: int) -> str:
    """An interpreter like ours that this user may run; ours may lie in a folder closed to others."""
    same = (
        "import subprocess, sys, httpx, cryptography.fernet; "
        "sys.exit(sys.version_info[:2] != {} or subprocess.call([sys.executable, '-c', '']))"
    )
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": sysconfig.get_path("purelib")}
    for python in (sys.executable, "/usr/bin/python3"):
        trial = [*become(uid), python, "-c", same.format(tuple(sys.version_info[:2]))]
        if subprocess.run(trial, env=env, cwd="/", capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip(f"uid {uid} can run no Python {sys.version_info[0]}.{sys.version_info[1]} with the agent's packages")


def needs(program: str) -> None:
    """Skip where a program is missing, and say so; in CI it may not be missing."""
    if shutil.which(program) is None:
        reason = f"{program} is not installed"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that the unprivileged uid of the work could reach: pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="agent-tests-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.fixture
def start_agent(folder: Path) -> Iterator[Callable[..., AgentProcess]]:
    """Start agents that end with the test."""
    started: list[AgentProcess] = []

    def start(market: Marketplace, *, state: Path | None = None, **settings: Any) -> AgentProcess:
        place = state or Path(tempfile.mkdtemp(dir=folder)) / "state"
        place.parent.chmod(0o755)
        started.append(AgentProcess(market=market, state=place, **settings))
        return started[-1]

    yield start
    for agent in started:
        if agent.process.poll() is None:
            agent.stop()


@pytest.fixture
def make_market() -> Iterator[Callable[..., Marketplace]]:
    """Marketplaces that close with the test."""
    made: list[Marketplace] = []

    def make(**settings: Any) -> Marketplace:
        made.append(Marketplace(**settings))
        return made[-1]

    yield make
    for market in made:
        market.close()


@pytest.fixture(scope="module", params=["bwrap", "unshare"])
def hall(request: pytest.FixtureRequest, folder: Path) -> Iterator[Marketplace]:
    """A marketplace with one agent at work, once with each sandbox."""
    needs(request.param)
    market = Marketplace()
    state = Path(tempfile.mkdtemp(dir=folder)) / "state"
    state.parent.chmod(0o755)
    agent = AgentProcess(market=market, state=state, JOULEMART_AGENT_RUNTIME=request.param)
    yield market
    agent.stop()
    market.close()
    assert "Traceback" not in agent.said, agent.said
    assert not list(agent.attempts.iterdir()), "an ended attempt leaves nothing behind"
