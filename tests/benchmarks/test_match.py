"""`manage.py benchmark match` answers in the fields that the specification names."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

CONTRACT = {
    "jobs", "offers", "hours", "mode", "placed", "seconds_total", "seconds_core", "jobs_per_second", "utility",
    "certified_bound", "certified_ratio", "lp_bound", "lp_ratio", "offers_examined_per_job", "unplaced_reasons",
    "peak_mb", "checks", "seed", "trace", "repeat", "versions",
}  # fmt: skip
SOUND = {"oversold": 0, "double": 0, "limits_broken": 0}


def told(*options):
    out = StringIO()
    call_command("benchmark", "match", *options, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.parametrize("mode", ["greedy", "batch"])
def test_a_market_in_memory(mode):
    found = told("--jobs", "120", "--offers", "12", "--hours", "48", "--mode", mode, "--exact", "--repeat", "1")

    assert found.keys() >= CONTRACT
    assert (found["jobs"], found["offers"], found["mode"], found["checks"]) == (120, 12, mode, SOUND)
    assert found["placed"] + sum(found["unplaced_reasons"].values()) == 120
    assert 0.5 < found["lp_ratio"] <= 1
    assert (found["certified_ratio"] is None) == (mode == "greedy")


def test_whole_rounds_on_a_database_of_their_own():
    found = told("--jobs", "40", "--offers", "20", "--durable", "--repeat", "1")

    assert found.keys() >= CONTRACT
    assert (found["jobs"], found["placed"], found["checks"]) == (40, 40, SOUND)
    assert found["durable"]["batches"][0]["ceiling_placed_per_second"] > 0
