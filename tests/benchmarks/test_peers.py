import json
import subprocess
import sys
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from benchmarks.peers import columns_of, greedy, highs_mip, judged, market_of, read_sizes


@pytest.fixture(scope="module")
def market():
    return market_of(60, 12, 3)


def test_every_side_is_judged_by_the_same_columns(market):
    ours, solved = greedy(market), highs_mip(market)

    assert ours["checks"] == solved["checks"] == {"oversold": 0, "double": 0, "limits_broken": 0}
    assert 0 < ours["utility"] <= solved["utility"]


def test_a_plan_that_takes_an_hour_twice_or_breaks_a_limit_is_seen(market):
    columns = columns_of(market)
    fewest = int(np.argmin(market.table.shelf.began[columns.offer, columns.first]))
    key = tuple(int(part[fewest]) for part in (columns.ask, columns.offer, columns.first))

    checks = judged(market, 1.0, [key] * 40 + [(key[0], key[1], 10_000)])["checks"]

    assert checks["oversold"] > 0
    assert (checks["double"], checks["limits_broken"]) == (40, 1)


def test_the_matcher_on_rows_keeps_to_all_limits():
    side = (sys.executable, "-m", "benchmarks.peers", "orm", "60", "12", "3")

    found = json.loads(subprocess.run(side, capture_output=True, text=True, check=True).stdout)

    assert found["placed"] > 0
    assert found["checks"] == {"oversold": 0, "double": 0, "limits_broken": 0}


def test_sizes_are_read_as_jobs_by_offers():
    assert read_sizes("200x50,1000x100") == [(200, 50), (1000, 100)]
    with pytest.raises(ValueError, match="JOBSxOFFERS"):
        read_sizes("200")


def test_the_command_compares_sides_by_the_linear_bound():
    out = StringIO()

    call_command(
        "benchmark", "peers", "--sizes", "60x12", "--sides", "ours_greedy,highs_lp", "--repeat", "1", stdout=out
    )

    answer = json.loads(out.getvalue())
    sides = answer["sizes"][0]["sides"]
    assert sides["highs_lp"]["lp_ratio"] == 1
    assert 0 < sides["ours_greedy"]["lp_ratio"] <= 1
    assert answer["checks"] == {"oversold": 0, "double": 0, "limits_broken": 0}
