"""The bytes that a round stores are the canonical ones."""

import zlib
from dataclasses import replace

import pytest

from scheduler import recording
from scheduler.core import canonical, matching
from scheduler.core.types import Rates
from scheduler.cycle import run_round
from tests.market import NOON, make_place
from tests.scheduler.scene import make_cpu_offer, make_job

pytestmark = pytest.mark.django_db


def test_a_round_stores_the_canonical_bytes_of_what_it_saw_and_made():
    offer = make_cpu_offer(units=2, description='a "quoted" – text')
    make_place(**{offer.site.public_id: 7})
    for number in range(4):
        make_job(now=NOON, name=f"job {number}", excluded_sites=["sit_x"] * (number % 2))
    round_ = run_round(segment="cpu", now=NOON)

    snapshot = canonical.load_snapshot(zlib.decompress(round_.snapshot))

    assert canonical.dump_snapshot(snapshot) == recording.dump_snapshot(snapshot) == zlib.decompress(round_.snapshot)
    assert canonical.dump_plan(canonical.load_plan(zlib.decompress(round_.result))) == zlib.decompress(round_.result)
    assert canonical.sha256(zlib.decompress(round_.snapshot)) == round_.snapshot_sha256


def test_rates_and_refusals_with_their_ways_out_have_the_canonical_bytes():
    make_cpu_offer(units=2)
    job = make_job(now=NOON)
    job.ask["limits"]["price__lte"] = 1
    job.save()
    snapshot = canonical.load_snapshot(zlib.decompress(run_round(segment="cpu", now=NOON).snapshot))
    rated = replace(snapshot, asks=tuple(replace(ask, rates=Rates(1, 2, 3, 4)) for ask in snapshot.asks))

    plan = matching.match(rated)

    assert plan.unplaced[0].relax
    assert recording.dump_snapshot(rated) == canonical.dump_snapshot(rated)
    assert recording.dump_plan(plan) == canonical.dump_plan(plan)
