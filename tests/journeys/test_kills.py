"""What is killed comes back, and no job is lost."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.running


def job_file(name: str, seconds: int) -> str:
    return (
        f"name: {name}\nrun: for i in $(seq {seconds}); do echo step $i; sleep 1; done\n"
        "config:\n  joulemart:\n    time_limit_s: 120\n"
    )


def family_of(pid: int) -> list[int]:
    """`pid` and everything it started, by the kernel's own list."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def agent_of(market, job: str) -> str:
    """Which agent runs the job: its state folder holds the work."""
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return next(name for name in ("agent-1", "agent-2") if _runs(market, name, shown))


def _runs(market, name: str, shown: str) -> bool:
    number = name.rsplit("-", 1)[-1]
    return f"{market.folder.agent_state(int(number))}/" in shown


def test_a_killed_agent_costs_an_attempt_and_nothing_else(market, buyer):
    """The agent and the processes that hold its work die; its restarts are kept down for longer than a lease."""
    job = buyer.submit(job_file("long", 12)).json()["id"]
    buyer.wait(job, "running")
    market.wait_for(lambda: "step 2" in buyer.log(job), "two steps are logged")
    name = agent_of(market, job)
    state = str(market.folder.agent_state(int(name[-1])))
    for pid in family_of(market.pid_of(name)):
        os.kill(pid, signal.SIGKILL)
    _kill_work_of(state)

    told = buyer.wait(job, within_s=90)

    assert told["state"] == "succeeded"
    assert [attempt["reason"] for attempt in told["attempts"]][-1] == "succeeded"
    first = told["attempts"][0]
    assert first["reason"] in {"lease_lost", "node_failed", "agent_error"}
    assert len(told["attempts"]) == 2
    assert told["attempts"][1]["site"]["id"] != first["site"]["id"]
    assert "2" in told["sentence"]
    assert told["usage"]["seconds"] < 30


def _kill_work_of(state: str) -> None:
    """Everything that still names the agent's folder: the host is gone, as far as the market can tell."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{state}/" in line and int(folder.name) != os.getpid():
            os.kill(int(folder.name), signal.SIGKILL)


@pytest.mark.parametrize("victim", ["worker", "beat", "web", "streams"])
def test_a_killed_program_comes_back_and_no_job_is_lost(market, buyer, victim):
    before = [buyer.submit(job_file(f"{victim}-{n}", 2)).json()["id"] for n in range(3)]

    market.kill(victim)
    market.wait_for(lambda: _answers(buyer), "the product answers again")
    after = buyer.submit(job_file(f"{victim}-after", 1)).json()["id"]

    assert {buyer.wait(job)["state"] for job in [*before, after]} == {"succeeded"}


def test_valkey_wiped_and_killed_loses_no_job(market, buyer):
    jobs = [buyer.submit(job_file(f"wiped-{n}", 2)).json()["id"] for n in range(4)]

    _wipe(market)
    market.kill("valkey")
    jobs.append(buyer.submit(job_file("wiped-after", 1)).json()["id"])

    assert {buyer.wait(job, within_s=90)["state"] for job in jobs} == {"succeeded"}


def _wipe(market) -> None:
    import redis

    redis.Redis(unix_socket_path=str(market.folder.valkey_socket)).flushall()


def _answers(buyer) -> bool:
    import httpx

    try:
        return buyer.http.get("/me").status_code == 200
    except httpx.TransportError:
        return False
