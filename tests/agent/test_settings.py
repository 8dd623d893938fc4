"""Settings, the doctor's report, and the arithmetic that needs no machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config import ConfigInvalid, load
from agent.engines.cgroups import delegation
from agent.engines.rapl import NodeMeter, readable_zones
from agent.logship import whole_characters
from agent.metering import modelled_wh, usage_line
from agent.wire import BadLease, Lease, Usage, parse_lease
from tests.agent.conftest import ROOT
from tests.agent.standin import KEY, Marketplace

GOOD = {"JOULEMART_URL": "https://market.example", "JOULEMART_AGENT_KEY": "k", "JOULEMART_AGENT_NAME": "rack"}


def a_lease(market: Marketplace, **given: Any) -> Lease:
    return parse_lease(market.offer("true", **given).body)


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('url = "https://one.example"\nkey = "from-file"\nname = "a"\nunits = 2\n', encoding="utf-8")

    config = load(file=file, environ={"JOULEMART_URL": "https://two.example"}, given={"units": 7, "name": None})

    assert (config.url, config.key, config.name, config.units) == ("https://two.example", "from-file", "a", 7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"JOULEMART_URL": ""}, "url: missing"),
        ({"JOULEMART_AGENT_KEY": ""}, "key: missing"),
        ({"JOULEMART_URL": "market.example"}, "is no web address"),
        ({"JOULEMART_URL": "http://market.example"}, "use https"),
        ({"JOULEMART_AGENT_UNITS": "many"}, "units: 'many' is not a whole number"),
        ({"JOULEMART_AGENT_UNITS": "0"}, "units: 0 is outside"),
        ({"JOULEMART_AGENT_RUNTIME": "docker"}, "choose auto or bwrap or unshare or none"),
        ({"JOULEMART_AGENT_RUNTIME": "none"}, "set trusted = true as well"),
        ({"JOULEMART_AGENT_TRUSTED": "perhaps"}, "neither true nor false"),
    ],
)
def test_a_wrong_setting_is_named_with_its_mend(change: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        load(environ=GOOD | change)


def test_an_unknown_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("unitz = 3\n", encoding="utf-8")

    with pytest.raises(ConfigInvalid, match="unitz: unknown setting"):
        load(file=file, environ=GOOD)


def test_two_agents_of_one_machine_give_their_work_different_uids() -> None:
    bases = {load(environ=GOOD | {"JOULEMART_AGENT_STATE": f"/srv/agents/{number}"}).work_uid_base for number in (1, 2)}

    assert len(bases) == 2


def test_the_energy_model_gives_the_worked_example(make_market: Callable[..., Marketplace]) -> None:
    lease = a_lease(make_market(), units=4, cpus=8)

    assert modelled_wh(lease=lease, usage=Usage(milliseconds=3_600_000, cpu_ms=3_600_000 * 8 * 62 // 100)) == 1873
    assert modelled_wh(lease=lease, usage=Usage(milliseconds=3_600_000, cpu_ms=10**12)) == 2800
    assert modelled_wh(lease=lease, usage=Usage()) == 0


def test_a_metered_reading_wins_over_the_model(make_market: Callable[..., Marketplace]) -> None:
    usage = Usage(milliseconds=1000, cpu_ms=10, energy_uj=3_600_000_001)

    line = usage_line(lease=a_lease(make_market()), usage=usage, bytes_in=0, bytes_out=0)

    assert (line["energy_method"], line["energy_wh"]) == ("metered_node", 2)


def test_the_node_meter_follows_a_counter_that_wraps(tmp_path: Path) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("1000\n", encoding="ascii")
    (zone / "energy_uj").write_text("900\n", encoding="ascii")
    meter = NodeMeter(readable_zones(tmp_path))

    (zone / "energy_uj").write_text("950\n", encoding="ascii")
    assert meter.read_uj() == 50
    (zone / "energy_uj").write_text("49\n", encoding="ascii")
    assert meter.read_uj() == 150


def test_control_groups_of_version_2_are_used_where_they_are_delegated(tmp_path: Path) -> None:
    own = tmp_path / "agent.service"
    own.mkdir()
    for folder in (tmp_path, own):
        (folder / "cgroup.controllers").write_text("cpuset cpu io memory pids\n", encoding="ascii")
    place = tmp_path / "own"
    place.write_text("0::/agent.service\n", encoding="ascii")

    found = delegation(tmp_path, place)

    assert (found.version, found.folders) == (2, dict.fromkeys(["memory", "pids", "cpu"], own))
    assert (own / "cgroup.subtree_control").read_text(encoding="ascii") == "+memory +pids +cpu"
    assert (own / "joulemart-agent" / "cgroup.procs").exists()


def test_a_chunk_of_the_log_never_ends_inside_a_character() -> None:
    text = "a水b€c🌊".encode()

    for length in range(len(text) + 1):
        whole = whole_characters(text[:length])
        assert whole.decode() == text[: len(whole)].decode()
        assert length - len(whole) < 4


def test_a_lease_without_a_field_is_named(make_market: Callable[..., Marketplace]) -> None:
    body = json.loads(json.dumps(make_market().offer("true").body))
    del body["limits"]["pids"]

    with pytest.raises(BadLease, match="lacks pids"):
        parse_lease(body)


def test_a_lease_whose_id_is_a_path_is_refused(make_market: Callable[..., Marketplace]) -> None:
    with pytest.raises(BadLease, match="is not an id"):
        parse_lease({**make_market().offer("true").body, "id": "../../etc"})


def test_a_checkpoint_is_kept_like_an_output(make_market: Callable[..., Marketplace]) -> None:
    lease = a_lease(make_market(), outputs=["out"], checkpoint={"path": "save/", "signal": "USR1", "grace_s": 5})

    assert lease.patterns == ("out", "save/")
    assert replace(lease, checkpoint=None).patterns == ("out",)


def doctor(market: Marketplace, state: Path, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "PATH": os.environ["PATH"],
        "JOULEMART_URL": market.url,
        "JOULEMART_AGENT_KEY": KEY,
        "JOULEMART_AGENT_NAME": "rack",
        "JOULEMART_AGENT_STATE": str(state),
        **env,
    }
    command = [sys.executable, "-m", "agent", "doctor"]
    return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False, timeout=60)


def test_the_doctor_names_every_check_and_finds_a_healthy_agent(
    make_market: Callable[..., Marketplace], tmp_path: Path
) -> None:
    told = doctor(make_market(), tmp_path / "state")

    assert told.returncode == 0, told.stdout
    for check in (
        "engine",
        "sandbox unshare",
        "control groups",
        "disk",
        "server reachable",
        "key accepted",
        "clock skew",
    ):
        assert check in told.stdout
    assert told.stdout.endswith("This agent can work.\n")


def test_the_doctor_gives_the_mend_of_what_fails(make_market: Callable[..., Marketplace], tmp_path: Path) -> None:
    told = doctor(make_market(), tmp_path / "state", JOULEMART_AGENT_KEY="jm_test_wrong")

    assert told.returncode == 1
    assert "FAILED  key accepted" in told.stdout
    assert "mend: make a new agent key" in told.stdout


def test_the_command_line_says_what_is_missing_and_leaves_with_2() -> None:
    command = [sys.executable, "-m", "agent", "run"]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    told = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)

    assert told.returncode == 2
    assert told.stderr == (
        "url: missing; it is the address of the marketplace, then set url in the file or JOULEMART_URL\n"
    )
