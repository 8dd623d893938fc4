"""Real Celery workers on shards: attacked without their locks and killed at random points, nothing is off.

The same attack and the same kills at length: `python -m benchmarks.shards`.
"""

import json
import subprocess
import sys

from config.launcher.folders import CHECKOUT

ATTACKED = ("--contended", "800", "--batch", "200", "--attackers", "2")
KILLED = ("--kills", "2", "--lump", "400", "--offers", "200")


def test_workers_that_attack_the_same_jobs_and_are_killed_sell_nothing_twice_and_lose_nothing():
    argv = (sys.executable, "-m", "benchmarks.shards", *ATTACKED, *KILLED)

    said = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert said.returncode == 0, said.stdout + said.stderr
    figures = json.loads(said.stdout)
    attack, survived = figures["contended"], figures["kills"]
    assert attack["attempts"] >= 800
    assert attack["conflicts"] > 0
    assert sum(survived["kills"].values()) == 2
    assert survived["allocated"] + survived["waiting"] == survived["submitted"] > 0
    assert survived["invariants"] == {"ok": True, "checked": survived["invariants"]["checked"], "broken": {}}
    assert not any([*attack["checks"].values(), *survived["checks"].values()])
