"""Which mode a round has, and what it proves of its plan."""

import random
import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from scheduler import cycle, hints, tasks
from scheduler.cycle import LOCK_SPACE, replay, run_round
from scheduler.models import Job, MatchRound
from scheduler.moving import LOOK_AGAIN
from scheduler.shards import Shard
from tests.market import NOON
from tests.scheduler.scene import make_cpu_offer, make_job, make_round

pytestmark = pytest.mark.django_db


def match(**how):
    return run_round(segment="cpu", now=NOON, **how)


def test_what_waits_is_matched_as_a_batch_with_a_bound_and_its_part_of_it():
    make_cpu_offer(units=2)
    for number in range(4):
        make_job(now=NOON, name=f"job {number}")

    round_ = match()

    assert (round_.mode, round_.jobs_seen, round_.placed) == ("batch", 4, 2)
    assert round_.bound >= round_.utility > 0
    assert round_.ratio_bp == round_.utility * 10_000 // round_.bound
    assert (round_.price_steps > 0, round_.moves_done > 0, round_.seed > 0) == (True, True, True)


def test_more_than_a_batch_is_a_flood_and_matched_greedily_without_a_bound():
    make_cpu_offer(units=4)
    for number in range(3):
        make_job(now=NOON, name=f"job {number}")

    flood, rest = match(most=2), match(most=2)

    assert (flood.mode, flood.jobs_seen, flood.placed) == ("greedy", 2, 2)
    assert (flood.bound, flood.ratio_bp, flood.price_steps, flood.moves_done) == (None, None, 0, 0)
    assert (rest.mode, rest.placed) == ("batch", 1)


def test_a_quality_round_also_looks_at_jobs_that_were_refused_a_moment_ago():
    make_cpu_offer(units=1)
    job = make_job(now=NOON, next_attempt_at=NOON + LOOK_AGAIN)
    later = make_job(now=NOON, next_attempt_at=NOON + 2 * LOOK_AGAIN)

    assert match() is None
    round_ = match(mode="quality")

    assert (round_.mode, round_.jobs_seen, round_.placed) == ("quality", 1, 1)
    assert [Job.objects.get(pk=each.pk).state for each in (job, later)] == ["allocated", "queued"]


def test_a_round_that_could_place_nothing_has_no_ratio():
    make_cpu_offer(units=1)
    hopeless = make_job(now=NOON)
    Job.objects.filter(pk=hopeless.pk).update(ask=hopeless.ask | {"limits": {"price__lte": 1}})

    round_ = match()

    assert (round_.utility, round_.bound, round_.ratio_bp) == (0, 0, None)


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("mode", ["batch", "quality"])
def test_on_random_markets_the_bound_holds_and_the_round_is_replayed_byte_for_byte(seed, mode):
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 4)):
        offer = make_cpu_offer(units=draw.randint(1, 3))
        offer.rate_mm = [draw.choice([2_000, 4_000, 9_000]) for _ in range(168)]
        offer.save()
    for number in range(draw.randint(2, 12)):
        job = make_job(now=NOON, name=f"job {number}", units=1)
        run = {"run_s": draw.choice([600, 3600, 7200]), "when": draw.choice(["now", "balanced", "cheapest"])}
        Job.objects.filter(pk=job.pk).update(ask=job.ask | run, finish_by=NOON + timedelta(hours=draw.randint(1, 6)))

    round_ = match(mode=mode)

    kept = MatchRound.objects.get(pk=round_.pk)
    assert kept.bound >= kept.utility
    assert 0 <= (kept.ratio_bp or 0) <= 10_000
    assert replay(kept)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"bound": 0, "utility": 1}, "round_within_its_bound"),
        ({"bound": 10, "ratio_bp": 10_001}, "round_ratio_of_its_bound"),
        ({"bound": None, "ratio_bp": 5}, "round_ratio_of_its_bound"),
        ({"bound": 10, "ratio_bp": None}, "round_ratio_of_its_bound"),
    ],
)
def test_the_database_keeps_no_certificate_that_cannot_be(change, name):
    round_ = make_round(NOON)

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        MatchRound.objects.filter(pk=round_.pk).update(**change)


def test_every_ten_minutes_a_quality_round_is_asked_for_where_jobs_wait(monkeypatch):
    sent = []
    monkeypatch.setattr(hints.current_app, "send_task", lambda task, args, **_: sent.append((task, *args)))
    monkeypatch.setattr(tasks, "utc_now", lambda: NOON)
    make_job(now=NOON, next_attempt_at=NOON + LOOK_AGAIN)
    make_job(now=NOON, segment="edge", next_attempt_at=NOON + timedelta(hours=1))

    tasks.match_carefully()

    assert sent == [("match_segment", "cpu", "quality")]


def told(*words):
    out = StringIO()
    call_command("match_round", *words, stdout=out)
    return out.getvalue()


def test_an_operator_runs_a_round_by_the_command(monkeypatch):
    make_cpu_offer(units=1)
    make_job(now=NOON)
    monkeypatch.setattr("scheduler.management.commands.match_round.utc_now", lambda: NOON)

    text = told("cpu")

    round_ = MatchRound.objects.get()
    assert round_.mode == "quality"
    assert text == f"{round_.public_id}: placed 1 of 1, {round_.ratio_bp / 100:.2f} % of the bound\n"
    assert "nothing waits" in told("cpu", "--mode", "greedy")


@pytest.mark.django_db(transaction=True)
def test_the_command_says_when_another_worker_is_at_the_segment():
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_SPACE, Shard("cpu").lock])
        with pytest.raises(CommandError, match="another worker"):
            told("cpu")
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("mode", "locked"), [("greedy", True), ("batch", False)])
def test_jobs_are_locked_while_a_quick_plan_is_made_and_free_while_a_long_one_is(monkeypatch, mode, locked):
    make_cpu_offer(units=1)
    job = make_job(now=NOON)
    other, decide, seen = connection.copy(), cycle.matching.match, []

    def looked_at(snapshot):
        with other.cursor() as cursor:
            for _ in range(500):  # the lock is only sent: it is there a moment later
                cursor.execute("SELECT id FROM scheduler_job WHERE id = %s FOR UPDATE SKIP LOCKED", [job.pk])
                seen.append(cursor.fetchone() is None)
                if seen[-1] is locked:
                    break
                time.sleep(0.01)
        return decide(snapshot)

    monkeypatch.setattr(cycle.matching, "match", looked_at)
    try:
        assert match(mode=mode).placed == 1
    finally:
        other.close()
    assert seen[-1] is locked
