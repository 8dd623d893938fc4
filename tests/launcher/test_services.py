"""The embedded PostgreSQL and Valkey, as real processes."""

import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest
import redis

from config.launcher.folders import LONGEST_SOCKET_PATH, NOBODY, SOCKET_NAME, DataFolder
from config.launcher.instance import Instance, free_port_pair
from tests.launcher.conftest import database, launch

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def services_in(data_dir: Path, **options: object) -> Instance:
    return Instance(data_dir=data_dir, port=free_port_pair(), command=("services",), **options)  # type: ignore[arg-type]


def test_the_database_is_postgresql_18_in_utc_with_the_builtin_locale_and_no_network(services: Instance) -> None:
    with database(services) as server:
        facts = server.execute(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('timezone'),"
            " current_setting('listen_addresses'), current_setting('fsync'),"
            " (SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = current_database())"
        ).fetchone()

    assert facts == (18, "UTC", "", "on", "b C.UTF-8")


def test_the_sockets_are_private_to_the_user(services: Instance) -> None:
    assert stat.S_IMODE(services.folder.runtime.stat().st_mode) == 0o700


def test_committed_rows_survive_a_killed_database(services: Instance) -> None:
    with database(services) as server:
        server.execute("CREATE TABLE kept (n int)")
        server.execute("INSERT INTO kept SELECT generate_series(1, 1000)")

    services.kill("postgres")
    services.wait_for(lambda: answers(services), "the database answers")

    with database(services) as server:
        assert server.execute("SELECT count(*), sum(n) FROM kept").fetchone() == (1000, 500500)


def answers(instance: Instance) -> bool:
    try:
        database(instance).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_second_start_keeps_the_data_of_both_services(services: Instance) -> None:
    with database(services) as server:
        server.execute("CREATE TABLE kept AS SELECT 7 AS n")
    redis.Redis.from_url(services.folder.redis_url).set("kept", "8")
    assert services.stop() == 0

    services.start(within_s=60)

    with database(services) as server:
        assert server.execute("SELECT n FROM kept").fetchone() == (7,)
    assert redis.Redis.from_url(services.folder.redis_url).get("kept") == b"8"


def test_valkey_refuses_writes_rather_than_forget_silently(services: Instance) -> None:
    config = redis.Redis.from_url(services.folder.redis_url).config_get("*")

    assert (config["maxmemory-policy"], config["appendonly"], config["port"]) == ("noeviction", "yes", "0")


def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(services: Instance) -> None:
    services.stop()
    (services.folder.postgres / "postmaster.pid").write_text(f"{os.getpid()}\n{services.folder.postgres}\n")

    services.start(within_s=60)

    assert answers(services)


def test_services_end_with_their_supervisor_however_it_ends_and_start_again(services: Instance) -> None:
    orphans = [services.pid_of("postgres"), services.pid_of("valkey")]
    services.stop(signal.SIGKILL)

    services.start(within_s=60)

    services.wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans), "the orphans end")
    assert answers(services)


def test_an_interrupted_creation_of_the_cluster_is_thrown_away(place: Path) -> None:
    unfinished = place / "data" / "postgres.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "half").touch()

    with services_in(place / "data") as instance:
        assert answers(instance)
        assert not unfinished.exists()


def test_a_data_folder_too_deep_for_sockets_gets_a_short_private_one(place: Path) -> None:
    deep = place / ("d" * 60) / ("e" * 60)

    with services_in(deep) as instance:
        runtime = instance.folder.runtime
        assert len(os.fsencode(runtime / SOCKET_NAME)) <= LONGEST_SOCKET_PATH
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
        assert answers(instance)

    launch("reset", DATA_DIR=str(deep), YES="1")
    assert not runtime.exists()


def test_a_second_launcher_on_the_same_data_is_refused_with_the_mend(services: Instance) -> None:
    refused = launch("services", DATA_DIR=str(services.folder.root))

    assert refused.returncode == 1
    assert (
        f"already runs with the data of {services.folder.root} (pid {services.status()['supervisor']})"
        in refused.stderr
    )
    assert "DATA_DIR=" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert answers(services)


def test_data_of_another_postgresql_is_refused_and_left_alone(services: Instance) -> None:
    services.stop()
    version = services.folder.postgres / "PG_VERSION"
    version.write_text("17\n")

    refused = launch("services", DATA_DIR=str(services.folder.root))

    assert refused.returncode == 1
    assert "was written by PostgreSQL 17; this is 18" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert version.read_text() == "17\n"


@only_root
def test_root_runs_the_database_as_nobody_where_user_namespaces_are_refused(place: Path) -> None:
    tools = place / "tools"
    tools.mkdir()
    (tools / "unshare").write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    (tools / "unshare").chmod(0o755)

    with services_in(place / "data", env={"PATH": f"{tools}:{os.environ['PATH']}"}) as instance:
        assert answers(instance)
        assert Path(f"/proc/{instance.pid_of('postgres')}").stat().st_uid == NOBODY


def test_two_folders_have_different_sockets(place: Path) -> None:
    deep = place / ("d" * 100)

    assert DataFolder(deep / "a").runtime != DataFolder(deep / "b").runtime
