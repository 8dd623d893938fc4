"""`make run`: the whole product under one supervisor, as a person or a script meets it."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from config.launcher.folders import CHECKOUT
from config.launcher.instance import SERVICES, Instance, free_port_pair

pytestmark = pytest.mark.running
PROGRAMS = {"postgres", "valkey", "web", "streams", "worker", "matcher", "beat", "agent-1", "agent-2"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with Instance(data_dir=tmp_path_factory.mktemp("product") / "data", port=free_port_pair()) as instance:
        yield instance


def is_healthy(instance: Instance) -> bool:
    try:
        return httpx.get(f"{instance.url}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_all_programs_run_and_both_addresses_answer(product: Instance) -> None:
    assert set(product.status()["processes"]) == PROGRAMS
    product.wait_for(lambda: is_healthy(product), "the product answers")
    assert httpx.get(f"http://127.0.0.1:{product.port + 1}/health").status_code == 200


def test_the_ready_block_tells_the_address_and_the_sample_accounts(product: Instance) -> None:
    shown = product.output.read_text()

    assert f"Joulemart is ready:  {product.url}" in shown
    for role in ("buyer", "provider", "operator"):
        account = product.sample["accounts"][role]
        assert any({role, account["email"], account["password"]} <= set(line.split()) for line in shown.splitlines())


def test_the_sample_file_is_for_this_user_alone_and_names_this_instance(product: Instance) -> None:
    assert stat.S_IMODE(product.folder.sample.stat().st_mode) == 0o600
    assert product.sample["url"] == product.url
    assert product.sample["stream_url"] == f"http://127.0.0.1:{product.port + 1}"


def test_the_command_works_without_a_login(product: Instance) -> None:
    command = Path(sys.prefix) / "bin" / "joulemart"
    env = {name: value for name, value in product.env.items() if not name.startswith("JOULEMART_")}

    said = subprocess.run([command, "search"], env=env, cwd="/", capture_output=True, text=True, check=False)

    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("name", ["worker", "matcher", "beat", "agent-1", "web", "streams", "valkey", "postgres"])
def test_a_killed_program_comes_back_and_the_product_answers(product: Instance, name: str) -> None:
    before = {other: pid for other, pid in product.status()["processes"].items() if other != name}

    product.kill(name)

    product.wait_for(lambda: is_healthy(product), "the product answers")
    after = product.status()["processes"]
    assert {other: after[other] for other in before if other != "agent-2"} == {
        other: pid for other, pid in before.items() if other != "agent-2"
    }


def test_a_management_command_alone_finds_the_running_database(product: Instance) -> None:
    env = {name: value for name, value in product.env.items() if name not in SERVICES}

    shown = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"], cwd=CHECKOUT, env=env, capture_output=True, check=False
    )

    assert shown.returncode == 0, shown.stderr.decode()


def test_whoever_serves_is_not_the_owner_of_the_tables(product: Instance) -> None:
    for name in ("web", "streams", "worker", "matcher", "beat"):
        environment = Path(f"/proc/{product.pid_of(name)}/environ").read_bytes()
        assert f"DATABASE_URL={product.folder.database_url}\0".encode() in environment, name
        assert b"DATABASE_OWNER_URL" not in environment, name
    httpx.get(f"{product.url}/offers")
    with psycopg.connect(product.folder.owner_url) as server:
        sessions = server.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'joulemart' AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        ).fetchall()
        [may] = server.execute("SELECT has_table_privilege('jm_app', 'ledger_journal', 'UPDATE')").fetchone() or ()

    assert (sessions, may) == ([("jm_app",)], False)
    assert "may change the books" not in product.output.read_text()


def test_an_agent_knows_neither_the_database_nor_the_secret_key(product: Instance) -> None:
    environment = Path(f"/proc/{product.pid_of('agent-1')}/environ").read_bytes()

    assert b"JOULEMART_AGENT_KEY=" in environment
    for secret in (b"DATABASE_URL", b"REDIS_URL", b"SECRET_KEY", str(product.folder.postgres).encode()):
        assert secret not in environment


def test_another_instance_lives_beside_it(product: Instance, place: Path) -> None:
    with Instance(data_dir=place / "data", port=free_port_pair()) as neighbour:
        for instance in (neighbour, product):
            instance.wait_for(lambda instance=instance: is_healthy(instance), "it answers")  # type: ignore[misc]
        ours, theirs = product.sample["accounts"]["buyer"], neighbour.sample["accounts"]["buyer"]
        assert ours["api_key"] != theirs["api_key"]


def test_a_stop_ends_everything_and_the_next_run_keeps_the_data(product: Instance) -> None:
    with psycopg.connect(product.folder.owner_url, autocommit=True) as server:
        server.execute("CREATE TABLE kept AS SELECT 7 AS n")
    accounts = product.sample["accounts"]
    pids = [*product.status()["processes"].values(), product.status()["supervisor"]]

    assert product.stop() == 0

    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    product.start()
    with psycopg.connect(product.folder.owner_url) as server:
        assert server.execute("SELECT n FROM kept").fetchone() == (7,)
    assert product.sample["accounts"] == accounts
    assert os.fsencode(product.url) in product.output.read_bytes()
