"""The bytes that a round stores are the canonical ones."""

import zlib
from dataclasses import replace

import pytest

from scheduler import recording
from scheduler.core import canonical, matching
from scheduler.core.types import Rates
from scheduler.cycle import replay, run_round
from scheduler.models import MatchRound
from scheduler.snapshot import read_shelf
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


def test_asks_that_share_what_they_state_and_differ_in_all_else_have_the_canonical_bytes():
    make_cpu_offer(units=2)
    make_job(now=NOON)
    snapshot = canonical.load_snapshot(zlib.decompress(run_round(segment="cpu", now=NOON).snapshot))
    [ask] = snapshot.asks
    odd = replace(ask, id='a "%s" – name', limits=ask.limits | {"region": ("100%", "%s", 'a"b')}, near="100 %")
    own = {"age_mm": 5, "share_mm": -7, "due_s": None, "start_after_s": 1, "finish_by_s": 2, "submitted_s": 3}
    asks = (ask, replace(ask, id="b", units=2), odd, replace(odd, id="c", excluded_sites=('si"t', "%d"), **own))
    mixed = replace(snapshot, asks=asks)
    plan = matching.match(replace(snapshot, asks=(ask, replace(ask, id='an "%s" – ask'))))

    assert recording.dump_snapshot(mixed) == canonical.dump_snapshot(mixed)
    assert len(plan.placed) == 2
    assert recording.dump_plan(plan) == canonical.dump_plan(plan)


def first_round():
    """Four offers, one job and the round that places it."""
    for _ in range(4):
        make_cpu_offer(units=3)
    make_job(now=NOON)
    return run_round(segment="cpu", now=NOON)


@pytest.mark.django_db(transaction=True)
def test_the_next_round_stores_only_what_differs_and_is_replayed_all_the_same():
    whole = first_round()
    make_job(now=NOON)

    small = MatchRound.objects.select_related("base").get(pk=run_round(segment="cpu", now=NOON).pk)

    assert (whole.base, small.base) == (None, whole)
    assert len(small.snapshot) < len(whole.snapshot) / 2
    seen = recording.snapshot_of(small)
    assert seen.offers == read_shelf_before(small)
    assert replay(small)
    assert canonical.sha256(zlib.decompress(small.snapshot)) == small.snapshot_sha256


def read_shelf_before(round_):
    """The offers as the round saw them: today's with the hours back that it promised itself."""
    placed = [(each.offer.public_id, each.start) for each in round_.allocations.select_related("offer")]
    facts = []
    for each in read_shelf(now=NOON, families=["cpu"]).facts:
        own = sum(offer == each.id for offer, _ in placed)
        facts.append(replace(each, free=(each.free[0] + own, *each.free[1:])))
    return tuple(facts)


@pytest.mark.django_db(transaction=True)
def test_ten_minutes_later_the_whole_snapshot_is_stored_again():
    first_round()
    later = NOON + recording.BASE_FOR
    make_job(now=later)

    assert run_round(segment="cpu", now=later).base is None


@pytest.mark.django_db(transaction=True)
def test_a_round_whose_base_is_gone_or_another_is_not_replayed():
    whole = first_round()
    make_job(now=NOON)
    small = run_round(segment="cpu", now=NOON)
    assert small.base_id == whole.pk

    MatchRound.objects.filter(pk=whole.pk).update(snapshot=zlib.compress(b'{"offers": []}'))
    with pytest.raises(ValueError, match="other bytes"):
        recording.snapshot_of(MatchRound.objects.get(pk=small.pk))
    MatchRound.objects.filter(pk=whole.pk).update(snapshot=None)
    with pytest.raises(recording.SnapshotGone, match=whole.public_id):
        recording.snapshot_of(MatchRound.objects.get(pk=small.pk))
