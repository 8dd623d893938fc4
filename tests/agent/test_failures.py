"""Failures around the work: network, agent, clock, disk. Nothing runs twice, nothing is lost."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import AgentProcess
from tests.agent.standin import Marketplace, Work

TICK = "while :; do read up _ < /proc/uptime; echo $up; sleep 0.1; done"
StartAgent = Callable[..., AgentProcess]
MakeMarket = Callable[..., Marketplace]


def ticks(work: Work) -> list[float]:
    return [float(line) for line in work.text.split()]


def status_of(agent: AgentProcess, work: Work) -> dict[str, Any]:
    """What the process that holds the work last wrote."""
    status = agent.attempts / work.id / "status.json"
    return json.loads(status.read_text(encoding="utf-8")) if status.exists() else {}


def paused(agent: AgentProcess, work: Work) -> bool:
    return bool(status_of(agent, work).get("paused"))


def test_a_stale_epoch_kills_the_work_and_tells_nothing_more(start_agent: StartAgent, make_market: MakeMarket) -> None:
    market = make_market()
    agent = start_agent(market)
    work = market.offer(TICK)
    market.until(lambda: len(ticks(work)) > 3, "the work ticks")

    with market.changed:
        work.body = {**work.body, "epoch": 2}
    market.until(lambda: work.refusals > 0, "the agent hears 412")

    agent_is_free = market.offer("echo next")
    market.until_ended(agent_is_free)
    market.until(lambda: not (agent.attempts / work.id).exists(), "the work is gone")
    assert work.finish is None


def test_work_whose_lease_was_told_to_nobody_is_told_again_and_done_once(
    start_agent: StartAgent, make_market: MakeMarket
) -> None:
    market = make_market()
    market.lose_next_leases = 1
    start_agent(market)
    work = market.offer("echo once")

    assert market.until_ended(work)["reason"] == "succeeded"
    assert market.lose_next_leases == 0
    assert (work.text, work.finishes) == ("once\n", 1)


def test_a_cut_network_pauses_the_work_and_a_healed_one_lets_it_go_on(
    start_agent: StartAgent, make_market: MakeMarket
) -> None:
    market = make_market(lease_s=2.0, heartbeat_s=0.3)
    agent = start_agent(market)
    work = market.offer("for i in $(seq 80); do read up _ < /proc/uptime; echo $up; sleep 0.1; done")
    market.until(lambda: len(ticks(work)) > 3, "the work ticks")

    market.cut = True
    market.until(lambda: paused(agent, work), "the agent pauses the work by itself")
    log, status = agent.attempts / work.id / "log", agent.attempts / work.id / "status.json"
    for _ in range(2):
        written, seen = log.read_bytes(), status.stat().st_mtime_ns
        market.until(lambda seen=seen: status.stat().st_mtime_ns > seen, "half a second passes")
        assert log.read_bytes() == written, "paused work does nothing"
    with market.changed:  # an outage of the marketplace: back from it, it ends no lease for one lease length
        market.cut = False
        work.renewed += 10
    end = market.until_ended(work)

    assert end["reason"] == "succeeded"
    at = ticks(work)
    assert len(at) == 80
    assert work.usage["milliseconds"] < (at[-1] - at[0]) * 1000, "the pause is no usage"


def test_work_whose_lease_went_elsewhere_during_a_cut_is_dropped(
    start_agent: StartAgent, make_market: MakeMarket
) -> None:
    market = make_market(lease_s=1.5, heartbeat_s=0.3)
    agent = start_agent(market)
    work = market.offer(TICK)
    market.until(lambda: len(ticks(work)) > 3, "the work ticks")

    market.cut = True
    market.until(lambda: paused(agent, work), "the agent pauses the work by itself")
    with market.changed:
        market.cut = False
        work.fenced = True
    market.until(lambda: not (agent.attempts / work.id).exists(), "the work is gone")

    assert work.finish is None
    assert work.refusals > 0


def test_an_agent_that_is_killed_and_started_again_takes_its_work_up(
    start_agent: StartAgent, make_market: MakeMarket
) -> None:
    market = make_market()
    agent = start_agent(market)
    work = market.offer(
        "echo $$ begins; while [ ! -f /tmp/never ]; do sleep 0.1; i=$((i+1)); [ $i -lt 30 ] || break; done; echo ends",
        outputs=["**"],
    )
    market.until(lambda: "begins" in work.text, "the work begins")

    agent.kill()
    agent.start_again()
    end = market.until_ended(work)

    assert end["reason"] == "succeeded"
    assert work.text.count("begins") == 1
    assert work.text.endswith("ends\n")
    assert "Took up" in agent.said


def test_work_that_ended_while_the_agent_was_dead_is_told_by_the_next_one(
    start_agent: StartAgent, make_market: MakeMarket
) -> None:
    market = make_market()
    agent = start_agent(market)
    work = market.offer("echo up; sleep 0.5; echo result > out; exit 5", outputs=["out"])
    market.until(lambda: work.text == "up\n", "the work is up")

    agent.kill()
    market.until(lambda: status_of(agent, work)["phase"] == "ended", "the work ends alone")
    agent.start_again()
    end = market.until_ended(work)

    assert (end["reason"], end["exit_code"]) == ("exit_nonzero", 5)
    assert work.files == {"out": b"result\n"}


def test_without_its_agent_work_pauses_by_the_lease_alone(start_agent: StartAgent, make_market: MakeMarket) -> None:
    market = make_market(lease_s=1.5, heartbeat_s=0.3)
    agent = start_agent(market)
    work = market.offer(TICK)
    market.until(lambda: len(ticks(work)) > 3, "the work ticks")

    agent.kill()
    market.until(lambda: paused(agent, work), "the work is paused")
    market.works[work.id].fenced = True
    agent.start_again()

    market.until(lambda: not (agent.attempts / work.id).exists(), "the next agent drops it")
    assert work.finish is None


def test_a_killed_shim_is_a_failed_node(start_agent: StartAgent, make_market: MakeMarket) -> None:
    market = make_market()
    agent = start_agent(market)
    work = market.offer(TICK)
    market.until(lambda: status_of(agent, work).get("milliseconds", 0) > 0, "its time is measured")

    os.kill(status_of(agent, work)["shim"], signal.SIGKILL)
    end = market.until_ended(work)

    assert end["reason"] == "node_failed"
    assert work.usage["milliseconds"] > 0


@pytest.mark.parametrize("shift_s", [3600, -3600])
def test_a_clock_an_hour_off_changes_nothing(start_agent: StartAgent, make_market: MakeMarket, shift_s: int) -> None:
    market = make_market(lease_s=2.0, heartbeat_s=0.3)
    agent = start_agent(market, shift_s=shift_s)
    work = market.offer("sleep 1; echo done")

    end = market.until_ended(work)

    assert end["reason"] == "succeeded"
    assert 1000 <= work.usage["milliseconds"] < 30_000
    assert "clock" in agent.said


def test_a_polite_stop_hands_the_work_back(start_agent: StartAgent, make_market: MakeMarket) -> None:
    market = make_market()
    agent = start_agent(market)
    work = market.offer(TICK)
    market.until(lambda: len(ticks(work)) > 3, "the work ticks")

    assert agent.stop() == 0

    assert market.until_ended(work)["reason"] == "node_failed"
    assert not list(agent.attempts.iterdir())


def test_a_stop_that_keeps_leaves_the_work_to_the_next_start(start_agent: StartAgent, make_market: MakeMarket) -> None:
    market = make_market()
    agent = start_agent(market, JOULEMART_AGENT_ON_STOP="keep")
    work = market.offer("echo up; sleep 2; echo done")
    market.until(lambda: work.text == "up\n", "the work is up")

    assert agent.stop() == 0, agent.said
    agent.start_again()

    assert market.until_ended(work)["reason"] == "succeeded"
    assert work.text == "up\ndone\n"


def test_a_second_agent_of_one_state_folder_refuses_to_start(start_agent: StartAgent, make_market: MakeMarket) -> None:
    market = make_market()
    first = start_agent(market)
    market.until(lambda: market.registrations, "the first one is there")

    second = start_agent(market, state=first.state)

    assert second.process.wait(10) == 1
    assert "another agent runs with the state folder" in second.said


def test_a_key_that_is_refused_ends_the_agent_with_a_word(start_agent: StartAgent, make_market: MakeMarket) -> None:
    agent = start_agent(make_market(), JOULEMART_AGENT_KEY="jm_test_wrong")

    assert agent.process.wait(10) == 1

    assert "This key is not known" in agent.said
    assert "JOULEMART_AGENT_KEY" in agent.said


def test_an_agent_waits_for_a_marketplace_that_is_not_up_yet(start_agent: StartAgent, make_market: MakeMarket) -> None:
    market = make_market()
    market.cut = True
    agent = start_agent(market)
    market.until(lambda: "Waiting for http" in agent.said, "it says that it waits")
    other = start_agent(market)
    market.until(lambda: "Waiting for http" in other.said, "so does another")
    assert other.stop() == 0, other.said

    market.cut = False

    assert market.until_ended(market.offer("echo hello"))["reason"] == "succeeded"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_ends_the_work_as_a_failed_node(
    start_agent: StartAgent, make_market: MakeMarket, folder: Path
) -> None:
    small = folder / "small-disk"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,mode=755", "none", str(small)], check=True)
    try:
        market = make_market()
        agent = start_agent(market, state=small / "state")
        work = market.offer("echo up; sleep 60", log_bytes=50_000_000)
        market.until(lambda: work.text == "up\n", "the work is up")
        work_two = market.offer("sleep 1; yes | head -c 20000000", log_bytes=50_000_000)
        market.until(lambda: work_two.beats, "the second one is taken")
        with (small / "filler").open("wb") as filler, pytest.raises(OSError, match="No space"):
            while True:
                filler.write(b"\0" * (1 << 20))
                filler.flush()

        end = market.until_ended(work_two)

        assert end["reason"] == "node_failed"
        (small / "filler").unlink()
        assert agent.stop() == 0
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests run as an ordinary user already")
@pytest.mark.parametrize("runtime", ["bwrap", "unshare"])
def test_an_ordinary_user_can_run_an_agent(
    start_agent: StartAgent, make_market: MakeMarket, folder: Path, runtime: str
) -> None:
    home = folder / f"user-{runtime}"
    home.mkdir()
    os.chown(home, 65534, 65534)
    market = make_market()
    agent = start_agent(market, state=home / "state", as_user=65534, JOULEMART_AGENT_RUNTIME=runtime)
    works = [
        market.offer("python3 -c 'print(6 * 7)'; echo $PATH > out", outputs=["out"]),
        market.offer("for i in $(seq 200); do sleep 5 & done 2>&1 | grep -q unavailable && echo blocked"),
        market.offer('python3 -c "kept = [bytearray(1 << 20) for _ in range(600)]; import time; time.sleep(9)"'),
    ]

    market.until(lambda: market.registrations, "it registers")
    reasons = [market.until_ended(work)["reason"] for work in works]

    assert works[0].text == "42\n", agent.said
    assert works[1].text == "blocked\n"
    assert reasons[0::2] == ["succeeded", "out_of_memory"]
