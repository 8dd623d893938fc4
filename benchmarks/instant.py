"""How long a job waits for its offer in a running market; prints one JSON document of figures.

RATE_WRITE=100000 RATE_READ=100000 make run
.venv/bin/python -m benchmarks.instant --sample var/sample.json --jobs 1000 --pending 1000

Jobs are submitted one after another. `answer_to_allocated_ms` runs from the API's answer to the hint `job.allocated`
that follows the COMMIT of the allocation, `answer_to_event_ms` to the arrival of its event on the buyer's event stream;
what is there before the answer counts as 0. Jobs start in an hour or later, so that no agent takes part, and are
cancelled at the end. `--pending` first queues jobs that wait for units which another job holds. Exit status 1 when a
job was not allocated within 30 s.
"""

import argparse
import json
import os
import platform
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import redis

from config.launcher.folders import DataFolder

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 30.0
SPREAD = 100  # hours over which the measured jobs may start, so that all find room
HOUR = timedelta(hours=1)


class Follower:
    """Notes when the market says `job.allocated`: to its own programs, and on the event stream of each job's buyer."""

    def __init__(self) -> None:
        self.hints: list[float] = []
        self.seen: dict[str, float] = {}
        self.news = threading.Condition()

    def listen(self, subscription: redis.client.PubSub) -> None:
        """Note the hints that follow a COMMIT; one job is under way at a time, so the next hint is its own."""
        for message in subscription.listen():
            if message["type"] == "message" and message["data"] == b"job.allocated":
                self.hints.append(time.perf_counter())

    def follow(self, answer: httpx.Response) -> None:
        """Note the events of the stream."""
        kind = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: ") and kind == "job.allocated":
                now = time.perf_counter()
                with self.news:
                    self.seen[json.loads(line[6:])["object_id"]] = now
                    self.news.notify_all()

    def when(self, job: str, since: float) -> tuple[float, float] | None:
        """When the job was allocated (the first hint after `since`) and when its event came; None: not in time."""
        with self.news:
            self.news.wait_for(lambda: job in self.seen, PATIENCE_S)
            if job not in self.seen:
                return None
            return next((each for each in self.hints if each > since), self.seen[job]), self.seen[job]


@contextmanager
def following(url: str, key: str, valkey: str) -> Iterator[Follower]:
    """A follower that listens."""
    follower = Follower()
    timeout = httpx.Timeout(10, read=None)
    headers = {"Authorization": f"Bearer {key}"}
    subscription = redis.Redis.from_url(valkey).pubsub()  # type: ignore[no-untyped-call]
    subscription.subscribe("jm:journal")
    with httpx.stream("GET", f"{url}/api/v1/events", headers=headers, timeout=timeout) as answer:
        answer.raise_for_status()
        threading.Thread(target=follower.listen, args=[subscription], daemon=True).start()
        threading.Thread(target=follower.follow, args=[answer], daemon=True).start()
        time.sleep(1)
        yield follower


def job_tree(name: str, *, start: datetime, units: int = 1, hours: float = 0.1, **ask: Any) -> dict[str, Any]:
    """A job of some processors that may start at `start`."""
    asked = {"time_limit_s": round(hours * 3600), "start_after": start.isoformat()} | ask
    return {"name": name, "resources": {"cpus": units}, "run": "true", "config": {"joulemart": asked}}


def submit(api: httpx.Client, tree: dict[str, Any]) -> str:
    """The id of the accepted job."""
    answer = api.post("/jobs", json=tree, headers={"Idempotency-Key": str(uuid.uuid4())})
    if answer.status_code != httpx.codes.CREATED:
        raise SystemExit(f"{tree['name']}: {answer.status_code} {answer.text[:600]}")
    return str(answer.json()["id"])


def queue_behind(api: httpx.Client, follower: Follower, count: int, start: datetime) -> list[str]:
    """Jobs that wait for units of a region's largest offer, the holder of which comes first; their ids."""
    if not count:
        return []
    plan = api.get("/offers", params={"family": "cpu", "limit": 100}).json()["data"]
    offer = max(plan, key=lambda each: int(each["units"]))
    ask = {"units": 3 * int(offer["units"]) // 4, "start": start, "region": offer["site"]["region"]}
    holder = submit(api, job_tree("holder", hours=12, **ask))
    if follower.when(holder, time.perf_counter()) is None:
        raise SystemExit("the holder of the contended offer was not allocated")
    ask["finish_by"] = (start + 8 * HOUR).isoformat()
    return [holder, *(submit(api, job_tree(f"pending-{number}", hours=2, **ask)) for number in range(count))]


def measure(
    api: httpx.Client, follower: Follower, count: int, start: datetime, pause_s: float
) -> tuple[dict[str, Any], list[str]]:
    """Submit `count` jobs one after another, each once the last is allocated: figures, and the jobs."""
    waits, delivered, whole, jobs = [], [], [], []
    for number in range(count):
        sent = time.perf_counter()
        jobs.append(submit(api, job_tree(f"instant-{number}", start=start + number % SPREAD * HOUR)))
        answered = time.perf_counter()
        known = follower.when(jobs[-1], sent)
        if known is not None:
            allocated, seen = known
            waits.append(max(0.0, allocated - answered))
            delivered.append(max(0.0, seen - answered))
            whole.append(allocated - sent)
        time.sleep(pause_s)
    return {
        "submitted": count, "allocated": len(waits),
        "answer_to_allocated_ms": spread(waits), "answer_to_event_ms": spread(delivered),
        "request_to_allocated_ms": spread(whole),
    }, jobs  # fmt: skip


def cancel(api: httpx.Client, jobs: Sequence[str]) -> None:
    """Take the jobs back, the last ones first."""
    for job in reversed(jobs):
        api.post(f"/jobs/{job}/cancel", json={}).raise_for_status()


def spread(seconds: Sequence[float]) -> dict[str, float | int]:
    """p50, p95 and the largest (nearest rank), in ms."""
    ordered = sorted(1000 * each for each in seconds)
    if not ordered:
        return {"count": 0}
    at = {f"p{part}": ordered[-(-len(ordered) * part // 100) - 1] for part in (50, 95, 100)}
    return {"count": len(ordered), **{name: round(value, 1) for name, value in at.items()}}


def main() -> int:
    ask = argparse.ArgumentParser(description="Measure the way from a submission to its allocation.")
    ask.add_argument("--sample", type=Path, default=ROOT / "var" / "sample.json", help="sample.json of the market")
    ask.add_argument("--jobs", type=int, default=1000)
    ask.add_argument("--pending", type=int, default=1000, help="jobs that wait meanwhile, in the second part")
    ask.add_argument("--pause", type=float, default=0.05, help="seconds between an allocation and the next submission")
    asked = ask.parse_args()
    market = json.loads(asked.sample.read_text())
    valkey = os.environ.get("REDIS_URL") or DataFolder(asked.sample.resolve().parent).redis_url
    key = market["accounts"]["buyer"]["api_key"]
    headers = {"Authorization": f"Bearer {key}"}
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + 2 * HOUR
    with (
        httpx.Client(base_url=f"{market['url']}/api/v1", headers=headers, timeout=60) as api,
        following(market["stream_url"], key, valkey) as follower,
    ):
        idle, jobs = measure(api, follower, asked.jobs, start, asked.pause)
        cancel(api, jobs)
        figures = {"idle": idle}
        waiting = queue_behind(api, follower, asked.pending, start)
        if waiting:
            pending, jobs = measure(api, follower, asked.jobs, start, asked.pause)
            queued = sum(api.get(f"/jobs/{job}").json()["state"] == "queued" for job in waiting)
            figures["pending"] = pending | {"waiting": queued}
        versions = {"python": platform.python_version(), "machine": platform.platform(), "httpx": httpx.__version__}
        sys.stdout.write(json.dumps({**figures, "versions": versions}, indent=2) + "\n")
        sys.stdout.flush()
        if waiting:
            cancel(api, [*waiting[:1], *jobs, *waiting[1:]])  # what waits goes before what it waits for
    return int(any(part["allocated"] < part["submitted"] for part in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
