"""The product on a PostgreSQL and a Redis that are given: DATABASE_URL and REDIS_URL switch the embedded ones off."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from config.launcher.instance import Instance, free_port_pair

NAMES = ("DATABASE_URL", "REDIS_URL")
pytestmark = [
    pytest.mark.running,
    pytest.mark.skipif(
        not all(os.environ.get(name, "").startswith(("postgresql://joulemart@127", "redis://")) for name in NAMES),
        reason="DATABASE_URL and REDIS_URL name no real servers; .ci/run starts some",
    ),
]


@pytest.fixture(params=["one role", "two roles"])
def instance(place: Path, request: pytest.FixtureRequest) -> Iterator[Instance]:
    """The product with a new database on the real server, which it owns or in which it is given its rights."""
    server_url = os.environ["DATABASE_URL"].rsplit("/", 1)[0]
    name = f"running_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(f"{server_url}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        env = {"DATABASE_URL": f"{server_url}/{name}", "REDIS_URL": os.environ["REDIS_URL"]}
        if request.param == "two roles":
            application = f"{server_url}/{name}".replace("joulemart@", "jm_app:a-password@")
            env |= {"DATABASE_URL": application, "DATABASE_OWNER_URL": env["DATABASE_URL"]}
        with Instance(data_dir=place / "data", port=free_port_pair(), env=env) as started:
            yield started
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_product_runs_on_given_servers_and_starts_none_of_its_own(instance: Instance) -> None:
    running = instance.status()["processes"]

    assert {"web", "streams", "worker", "matcher", "beat"} <= set(running)
    assert not {"postgres", "valkey"} & set(running)
    assert not instance.folder.postgres.exists()
    assert httpx.get(f"{instance.url}/health").json() == {"status": "ok"}
