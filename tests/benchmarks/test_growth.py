"""`python -m benchmarks.growth` measures two sizes in turn and tells their ratio."""

import argparse

from benchmarks import growth


def test_a_pair_of_markets_is_told_with_its_demand_and_both_ratios(monkeypatch):
    """The larger market, with twice the jobs, takes four times as long here, and places the same part of them."""
    clock = iter([(1.0, 10), (4.0, 20)] * 3)
    monkeypatch.setattr(growth, "decide_once", lambda table: next(clock))
    asked = argparse.Namespace(jobs=20, offers=4, times=2, repeat=2)

    told = growth.compare(asked, seed=1)

    assert (told["placed"], told["seconds_of_runs"]) == ([10, 20], [[1.0, 4.0]] * 2)
    assert told["us_per_job"] == [50_000, 100_000]
    assert (told["ratio"], told["ratio_by_placed"]) == (2.0, 2.0)
    assert len(told["demand"]) == 2


def test_the_placements_of_a_round_are_counted():
    tables = [growth.table_of(growth.snapshot_of(growth.draw(jobs=jobs, offers=12, hours=48))) for jobs in (5, 50)]

    (_, few), (_, many) = map(growth.decide_once, tables)

    assert 0 < few <= 5 < many <= 50
