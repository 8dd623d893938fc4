"""Real processes in data folders of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.launcher.folders import CHECKOUT
from config.launcher.instance import SERVICES, Instance, free_port_pair


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short folder that every user can reach, unlike pytest's own, which is private."""
    folder = Path("/tmp") / f"jm-{os.getpid()}-{tmp_path_factory.mktemp('n').name[-6:]}"
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def services(place: Path) -> Iterator[Instance]:
    """PostgreSQL and Valkey, durable, started."""
    instance = Instance(data_dir=place / "data", port=free_port_pair(), command=("services",)).start(within_s=60)
    yield instance
    instance.stop()


def database(instance: Instance) -> psycopg.Connection[Any]:
    return psycopg.connect(instance.folder.owner_url, autocommit=True)


def launch(command: str, *, given: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a launcher command that is expected to end by itself."""
    keep = {name: value for name, value in os.environ.items() if name not in SERVICES}
    argv = [sys.executable, "-m", "config.launcher", command]
    if command == "reset":
        argv = [sys.executable, "config/launcher/bootstrap.py", command]
    return subprocess.run(
        argv, cwd=CHECKOUT, env=keep | env, input=given or "", capture_output=True, text=True, timeout=60, check=False
    )
