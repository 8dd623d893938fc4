"""The first jobs of the Philly trace, really run by a running market; prints one JSON document of figures.

RATE_WRITE=100000 RATE_READ=100000 make run
.venv/bin/python benchmarks/philly.py --sample var/sample.json

Durations are scaled so that their median is 2 s, within 0.2 to 20 s. Every other job sleeps, the others keep a
processor busy. `num_gpu` becomes 1 or 2 units of processor. Exit status 1 when a job is lost, double or not final.
"""

import argparse
import csv
import gzip
import json
import platform
import statistics
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
TRACE = ROOT.parent / "shared" / "data" / "traces" / "philly_vc_b_jobs.csv.gz"
FINAL = {"succeeded", "failed", "cancelled", "expired"}
MEDIAN_S, SHORTEST_S, LONGEST_S = 2.0, 0.2, 20.0
SLEEP = "echo started; sleep {seconds}; echo done"
BUSY = "echo started; python3 -c 'import time; e = time.monotonic() + {seconds}\nwhile time.monotonic() < e: pass'"


def read_jobs(path: Path, count: int) -> list[dict[str, Any]]:
    """Job trees of the trace's first `count` lines, in their order."""
    with gzip.open(path, "rt", newline="") as lines:
        rows = [row for row, _ in zip(csv.DictReader(lines), range(count), strict=False)]
    median = statistics.median(float(row["duration_s"]) for row in rows)
    return [job_tree(number, row, MEDIAN_S / median) for number, row in enumerate(rows)]


def job_tree(number: int, row: dict[str, str], factor: float) -> dict[str, Any]:
    seconds = min(LONGEST_S, max(SHORTEST_S, float(row["duration_s"]) * factor))
    program = (SLEEP, BUSY)[number % 2].format(seconds=f"{seconds:.2f}")
    return {
        "name": f"philly-{row['job_id']}",
        "resources": {"cpus": min(2, max(1, int(row["num_gpu"])))},
        "run": program,
        "config": {"joulemart": {"time_limit_s": 300}},
    }


def submit(api: httpx.Client, tree: dict[str, Any]) -> str | None:
    """The job's id, or nothing (with the reason on stderr) when it was refused."""
    answer = api.post("/jobs", json=tree, headers={"Idempotency-Key": str(uuid.uuid4())})
    if answer.status_code not in {200, 201, 202}:
        sys.stderr.write(f"{tree['name']}: {answer.status_code} {answer.text[:400]}\n")
        return None
    return str(answer.json()["id"])


def wait_for_all(api: httpx.Client, ids: list[str], within_s: float) -> dict[str, dict[str, Any]]:
    """Each job's last answer, when all are final or the time is over."""
    found: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + within_s
    while True:
        for job in [each for each in ids if found.get(each, {}).get("state") not in FINAL]:
            answer = api.get(f"/jobs/{job}")
            if answer.status_code == httpx.codes.OK:
                found[job] = answer.json()
        if sum(job["state"] in FINAL for job in found.values()) == len(ids) or time.monotonic() > deadline:
            return found
        time.sleep(1)


def first_log_s(api: httpx.Client, job: dict[str, Any]) -> float | None:
    """Seconds from the job's creation to its first log line."""
    lines = api.get(f"/jobs/{job['id']}/logs", params={"limit": 1}).text.splitlines()
    return seconds_between(job["created_at"], json.loads(lines[0])["at"]) if lines else None


def seconds_between(start: str | None, end: str | None) -> float | None:
    if not (start and end):
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def spread(values: list[float | None]) -> dict[str, float | int]:
    """Count, p50 and p95 in seconds of what is known."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return {"count": 0}
    at = {f"p{part}_s": round(known[min(len(known) - 1, len(known) * part // 100)], 3) for part in (50, 95)}
    return {"count": len(known), **at}


def report(api: httpx.Client, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    attempts = [attempt for job in jobs for attempt in job["attempts"]]
    firsts = [min(job["attempts"], key=lambda each: each["number"]) for job in jobs if job["attempts"]]
    made = {job["id"]: job["created_at"] for job in jobs}
    by_job = {job["attempts"][0]["id"]: job["id"] for job in jobs if job["attempts"]}
    good = [sum(a["reason"] == "succeeded" for a in job["attempts"]) for job in jobs]
    return {
        "by_state": Counter(job["state"] for job in jobs),
        "by_end_reason": Counter(str(attempt["reason"]) for attempt in attempts),
        "attempts": len(attempts),
        "allocated": spread(
            [seconds_between(made[by_job[a["id"]]], a["created_at"]) for a in firsts if a["id"] in by_job]
        ),
        "queue_wait": spread([seconds_between(job["created_at"], job["started_at"]) for job in jobs]),
        "first_log": spread([first_log_s(api, job) for job in jobs]),
        "succeeded_twice": sum(count > 1 for count in good),
    }


def measure(api: httpx.Client, trees: list[dict[str, Any]], within_s: float) -> dict[str, Any]:
    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        ids = [job for job in threads.map(lambda tree: submit(api, tree), trees) if job]
    submitted = time.monotonic() - began
    found = wait_for_all(api, ids, within_s)
    wall = time.monotonic() - began
    return {
        "jobs": len(trees),
        "accepted": len(ids),
        "wall_s": round(wall, 1),
        "submit_per_s": round(len(trees) / submitted, 1),
        "same_id_twice": len(ids) - len(set(ids)),
        "lost": len(trees) - len(found),
        "not_final": sum(job["state"] not in FINAL for job in found.values()),
        **report(api, list(found.values())),
        "versions": {"python": platform.python_version(), "machine": platform.platform(), "httpx": httpx.__version__},
    }


def main() -> int:
    ask = argparse.ArgumentParser(description="Run the first jobs of the Philly trace in a running market.")
    ask.add_argument("--sample", type=Path, default=ROOT / "var" / "sample.json", help="sample.json of the market")
    ask.add_argument("--trace", type=Path, default=TRACE)
    ask.add_argument("--count", type=int, default=500)
    ask.add_argument("--within", type=float, default=900, help="seconds to wait for the last job")
    asked = ask.parse_args()
    for needed in (asked.trace, asked.sample):
        if not needed.exists():
            sys.stdout.write(f"nothing measured: {needed} is not here\n")
            return 0
    market = json.loads(asked.sample.read_text())
    key = market["accounts"]["buyer"]["api_key"]
    with httpx.Client(
        base_url=f"{market['url']}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as api:
        figures = measure(api, read_jobs(asked.trace, asked.count), asked.within)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return int(bool(figures["lost"] or figures["not_final"] or figures["succeeded_twice"] or figures["same_id_twice"]))


if __name__ == "__main__":
    sys.exit(main())
