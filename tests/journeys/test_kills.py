"""What is killed comes back, and no job is lost."""

import os
import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.running


def job_file(name: str, seconds: int) -> str:
    return (
        f"name: {name}\nrun: for i in $(seq {seconds}); do echo step $i; sleep 1; done\n"
        "config:\n  joulemart:\n    time_limit_s: 120\n"
    )


def processes_naming(folder: str) -> list[int]:
    """Pids of the processes whose command line names something inside `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/" in line and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def test_a_host_that_dies_costs_an_attempt_and_nothing_else(market, buyer):
    """The agent and the process that holds its work die at once, as when the power goes; an agent alone that is killed
    takes its work up again (tests/agent)."""
    job = buyer.submit(job_file("long", 12)).json()["id"]
    buyer.wait(job, "running")
    market.wait_for(lambda: "step 2" in buyer.log(job), "two steps are logged")
    states = {f"agent-{number}": str(market.folder.agent_state(number)) for number in (1, 2)}
    name = next(name for name, state in states.items() if processes_naming(state))
    for pid in [market.pid_of(name), *processes_naming(states[name])]:
        os.kill(pid, signal.SIGKILL)

    told = buyer.wait(job, within_s=90)

    assert len(told["attempts"]) == 2, told["attempts"]
    first, second = told["attempts"]
    assert (told["state"], second["reason"]) == ("succeeded", "succeeded")
    assert first["reason"] in {"lease_lost", "node_failed"}
    assert second["site"]["id"] != first["site"]["id"]
    assert told["sentence"]
    assert buyer.log(job).count("step 12") == 1
    assert told["usage"]["seconds"] < 12 + 12


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
