"""What stops a start is explained with its mend: no traceback, a status for scripts, nothing left behind."""

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.launcher.folders import CHECKOUT
from config.launcher.instance import Instance, free_port_pair
from tests.launcher.conftest import launch


@pytest.mark.parametrize("offset", [0, 1])
def test_a_taken_port_is_named_with_another_one_to_try(place: Path, offset: int) -> None:
    port = free_port_pair()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port + offset))
        listener.listen()

        refused = launch("run", DATA_DIR=str(place / "data"), PORT=str(port))

    assert refused.returncode == 1
    assert f"127.0.0.1:{port + offset} cannot be used: Address already in use." in refused.stderr
    assert f"PORT={port + 10} make run" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert not (place / "data" / "postgres").exists()


@pytest.mark.parametrize("port", ["http", "0", "65535", "-1", "8000.5"])
def test_what_is_no_port_is_refused_before_anything_is_made(place: Path, port: str) -> None:
    refused = launch("run", DATA_DIR=str(place / "data"), PORT=port)

    assert refused.returncode == 2
    assert f"PORT is {port!r}, which is no port." in refused.stderr
    assert not (place / "data").exists()


def test_a_data_folder_that_cannot_be_made_is_explained(place: Path) -> None:
    (place / "file").touch()

    refused = launch("services", DATA_DIR=str(place / "file" / "data"))

    assert refused.returncode == 1
    assert f"The data folder {place}/file/data cannot be written: Not a directory." in refused.stderr
    assert "Mend: " in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_socket_folder_open_to_others_is_refused(place: Path) -> None:
    runtime = place / "data" / "run"
    runtime.mkdir(parents=True)
    runtime.chmod(0o777)

    refused = launch("services", DATA_DIR=str(place / "data"))

    assert refused.returncode == 1
    assert f"The socket folder {runtime} is not private" in refused.stderr
    assert not (place / "data" / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "mysql://u@h/n"), ("REDIS_URL", "amqp://h"), ("SWEEP_SECONDS", "0"), ("DEBUG", "perhaps")],
)
def test_a_bad_setting_stops_a_command_with_one_line_that_names_it(name: str, value: str) -> None:
    stopped = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=CHECKOUT,
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=False,
    )

    assert stopped.returncode == 1
    assert len(stopped.stderr.splitlines()) == 1
    assert f'"{name}"' in stopped.stderr
    assert "Mend: " in stopped.stderr


def test_the_first_stage_parses_on_an_old_python() -> None:
    source = (CHECKOUT / "config" / "launcher" / "bootstrap.py").read_text()

    tree = ast.parse(source, feature_version=(3, 5))

    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]


def test_an_old_python_is_told_which_one_to_install(place: Path) -> None:
    pretend = (
        "import runpy, sys; sys.version_info = (3, 8, 18); sys.argv = ['bootstrap.py', 'run'];"
        "runpy.run_path('config/launcher/bootstrap.py', run_name='__main__')"
    )

    refused = subprocess.run(
        [sys.executable, "-c", pretend],
        cwd=CHECKOUT,
        env={"PATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 1
    assert "Joulemart needs Python 3.11 or newer; this is Python 3.8" in refused.stderr
    assert "Mend: install a newer one" in refused.stderr


def test_reset_needs_a_yes(place: Path) -> None:
    (place / "data" / "postgres").mkdir(parents=True)

    refused = launch("reset", DATA_DIR=str(place / "data"), YES="")

    assert refused.returncode == 2
    assert "YES=1 make reset" in refused.stderr
    assert (place / "data" / "postgres").exists()


def test_reset_clears_what_is_ours_and_leaves_what_is_not(place: Path) -> None:
    data = place / "data"
    for name in ("postgres", "valkey", "secrets"):
        (data / name).mkdir(parents=True)
    (data / "thesis.txt").write_text("not ours")

    done = launch("reset", DATA_DIR=str(data), YES="1")

    assert done.returncode == 0
    assert [path.name for path in data.iterdir()] == ["thesis.txt"]


def test_reset_is_refused_while_the_product_runs(services: Instance) -> None:
    refused = launch("reset", DATA_DIR=str(services.folder.root), YES="1")

    assert refused.returncode == 1
    assert "already runs with the data" in refused.stderr
    assert (services.folder.postgres / "PG_VERSION").exists()
