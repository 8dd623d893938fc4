from argparse import Namespace

import numpy as np
import pytest

from benchmarks.openb import TRACES, TraceMissing
from benchmarks.traces import play, read_philly, replay_of, run

real = pytest.mark.skipif(not TRACES.exists(), reason=f"no real jobs: {TRACES.name} are kept outside this repository")
OPTIONS = Namespace(trace="philly_vc_c", jobs=60, offers=6, seed=1, mode="greedy", moves=None, repeat=1)


def test_a_missing_trace_is_named(tmp_path):
    with pytest.raises(TraceMissing, match=r"philly_vc_b_jobs\.csv\.gz is not here"):
        read_philly("philly_vc_b", 10, tmp_path)


@real
def test_sizes_run_times_and_arrivals_are_those_of_the_trace():
    philly, replay = read_philly("philly_vc_c", 60), replay_of(OPTIONS)

    assert [ask.units for ask in replay.asks] == philly["units"].tolist()
    assert [ask.run_s for ask in replay.asks] == philly["run_s"].tolist()
    waited = np.array([ask.submitted_s for ask in replay.asks]) - replay.asks[0].submitted_s - philly["arrived_s"]
    assert 0 <= waited.min() <= waited.max() < 3600  # the next whole hour


@real
def test_what_one_round_promised_is_missing_in_the_next():
    replay = play(replay_of(OPTIONS), None, 1)
    units = np.array([offer.units_total[0] for offer in replay.offers])

    assert 0 < replay.placed <= 60
    assert len(replay.rounds) > 1
    assert replay.held.max() > 0
    assert (replay.held <= units[:, None]).all()


@real
def test_the_figures_tell_rounds_and_checks():
    figures = run(OPTIONS)

    assert figures["checks"] == {"oversold": 0, "double": 0, "limits_broken": 0}
    assert (figures["jobs"], figures["trace"]) == (60, "philly_vc_c")
    assert figures["placed"] + figures["unplaced"] == 60
