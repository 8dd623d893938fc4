"""From nothing but a Python to running services, as an ordinary user; a broken environment is seen and remade."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.launcher.folders import CHECKOUT, NOBODY
from config.launcher.instance import Instance, free_port_pair
from config.launcher.postgres import AS_NOBODY

PARTS = ("config", "client", "agent", "Makefile", "requirements.txt", "requirements-dev.txt")
ORDINARY = AS_NOBODY if os.geteuid() == 0 else ()


class Checkout(Instance):
    """A copy of this checkout, started with make by a user who is not root."""

    def __init__(self, place: Path) -> None:
        self.place = place / "checkout"
        data_dir = self.place / "var"
        env = {"HOME": str(place / "home"), "PIP_CACHE_DIR": str(place / "home" / "pip"), "PYTHON": python()}
        super().__init__(data_dir=data_dir, port=free_port_pair(), env=env, prefix=ORDINARY)
        self.argv = (*ORDINARY, python(), "config/launcher/bootstrap.py", "services")
        self.cwd = self.place
        self.output = place / "console"

    def command(self, name: str, *arguments: str) -> str:
        argv = [*ORDINARY, str(self.place / ".venv" / "bin" / name), *arguments]
        return subprocess.run(argv, cwd="/", env=self.env, capture_output=True, text=True, check=True).stdout

    def session(self) -> str:
        """Start, ask the database, stop; what was printed."""
        with self:
            code = (
                f"import psycopg; print(psycopg.connect({self.folder.database_url!r}).execute('SELECT 5').fetchone())"
            )
            assert self.command("python", "-c", code) == "(5,)\n"
        return self.output.read_text()


def python() -> str:
    """A Python that an ordinary user can start: pytest's own may be in root's private home."""
    for found in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        code = "import sys, ensurepip; assert sys.version_info >= (3, 11)"
        probe = [*ORDINARY, "sh", "-c", 'exec "$0" -c "$1"', str(found), code]
        if found and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip("no Python 3.11 with venv outside of private homes")


@pytest.fixture
def checkout(place: Path) -> Iterator[Checkout]:
    made = Checkout(place)
    for part in PARTS:
        copy = shutil.copytree if (CHECKOUT / part).is_dir() else shutil.copy
        made.place.mkdir(exist_ok=True)
        copy(CHECKOUT / part, made.place / part)
    (place / "home").mkdir()
    if ORDINARY:
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(place)], check=True)
    yield made
    made.stop()


def test_an_ordinary_user_gets_from_nothing_to_running_services_and_a_broken_environment_is_remade(
    checkout: Checkout,
) -> None:
    first = checkout.session()
    assert "making the environment" in first
    assert "Usage: joulemart" in checkout.command("joulemart", "--help")
    assert checkout.command("joulemart-agent", "version").startswith("joulemart-agent ")

    second = checkout.session()
    assert "environment" not in second
    assert "installing" not in second

    (checkout.place / ".venv" / "bin" / "python").unlink()
    third = checkout.session()
    assert "is broken (its Python does not start): making it again" in third

    shutil.rmtree(next((checkout.place / ".venv").glob("lib/*/site-packages/celery")))
    fourth = checkout.session()
    assert "is broken (missing: celery): making it again" in fourth
