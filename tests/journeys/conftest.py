"""One whole running product for the journeys of a module, and a buyer's HTTP client."""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.launcher.instance import Instance, free_port_pair

PLENTY = {"RATE_READ": "100000", "RATE_WRITE": "100000", "RATE_ANONYMOUS": "100000"}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    data = tmp_path_factory.mktemp("journey") / "data"
    with Instance(data_dir=data, port=free_port_pair(), env=PLENTY) as instance:
        yield instance


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pages are kept as pictures: the folder that JOURNEY_PICTURES names, or one that goes with the tests."""
    kept = os.environ.get("JOURNEY_PICTURES")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Buyer:
    """The sample buyer over plain HTTP, as curl would."""

    def __init__(self, market: Instance) -> None:
        self.market = market
        key = market.sample["accounts"]["buyer"]["api_key"]
        self.http = httpx.Client(
            base_url=f"{market.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    def get(self, path: str, **params: Any) -> Any:
        return self.http.get(path, params=params).json()

    def submit(self, text: str, key: str = "") -> httpx.Response:
        headers = {"Content-Type": "application/yaml", "Idempotency-Key": key or str(uuid.uuid4())}
        return self.http.post("/jobs", content=text, headers=headers)

    def wait(self, job: str, *states: str, within_s: int = 60) -> Any:
        wanted = states or ("succeeded", "failed", "cancelled", "expired")
        self.market.wait_for(
            lambda: self.get(f"/jobs/{job}")["state"] in wanted, f"{job} is {wanted}", within_s=within_s
        )
        return self.get(f"/jobs/{job}")

    def log(self, job: str) -> str:
        lines = self.http.get(f"/jobs/{job}/logs").text.splitlines()
        return "".join(json.loads(line)["text"] for line in lines)


@pytest.fixture(scope="module")
def buyer(market: Instance) -> Buyer:
    return Buyer(market)
