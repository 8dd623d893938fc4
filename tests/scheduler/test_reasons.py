"""Reasons of a big round come after it, from what it stored: the same that a small round writes at once."""

from datetime import timedelta

import pytest

from marketplace.common.clock import utc_now
from scheduler import commit, reasons, tasks
from scheduler.cycle import run_round
from scheduler.jobview import job_as_json
from scheduler.models import Allocation, Job, MatchRound
from scheduler.reasons import explain_pending
from scheduler.services import cancel_job
from scheduler.whyview import why_of
from tests.market import NOON
from tests.scheduler.scene import make_cpu_offer, make_job

pytestmark = pytest.mark.django_db
JOBS = commit.EXPLAINED_AT_ONCE + 1


def big_round(most=commit.EXPLAINED_AT_ONCE * 10):
    for price in (5, 9):
        make_cpu_offer(units=20, electricity_mm_per_kwh=price)
    for number in range(JOBS):
        make_job(now=NOON, name=f"job {number}")
    return run_round(segment="cpu", now=NOON, most=most)


def whys():
    return {each.job.public_id: each.why for each in Allocation.objects.select_related("job")}


def fresh(round_):
    return MatchRound.objects.get(pk=round_.pk)


def test_a_big_round_first_stores_what_is_known_and_then_the_reasons_that_decided(monkeypatch):
    monkeypatch.setattr(commit, "EXPLAINED_AT_ONCE", JOBS)
    big_round()
    at_once = whys()
    Allocation.objects.all().update(why={"pending": True})
    MatchRound.objects.update(explained=False)

    assert explain_pending(public_id=MatchRound.objects.get().public_id) == JOBS

    assert whys() == at_once
    assert MatchRound.objects.get().explained


def test_until_then_the_job_names_its_offer_and_says_that_the_reasons_are_pending():
    round_ = big_round()
    job = Job.objects.with_story().filter(state="allocated").first()
    allocation = job.allocations.get()

    why = why_of(job)

    assert allocation.why["pending"] is True
    assert not fresh(round_).explained
    assert (why["pending"], why["chosen"], why["round"]) == (True, None, round_.public_id)
    assert allocation.offer.title in why["sentence"]
    assert job_as_json(job, utc_now())["allocation"]["sentence"] == why["sentence"]

    explain_pending(public_id=round_.public_id)

    why = why_of(Job.objects.with_story().get(pk=job.pk))
    assert (why["pending"], why["chosen"]["offer"]) == (False, allocation.offer.public_id)


def test_reasons_that_were_interrupted_go_on_where_they_stopped(monkeypatch):
    round_ = big_round()
    asked = []
    monkeypatch.setattr(reasons, "AT_ONCE", 10)
    monkeypatch.setattr(reasons, "wake_explaining", asked.append)
    with monkeypatch.context() as patch:
        patch.setattr(reasons, "TURN_S", -1.0)
        assert explain_pending(public_id=round_.public_id) == 10
    assert asked == [round_.public_id]
    some = whys()

    assert explain_pending(public_id=round_.public_id) == JOBS - 10
    assert explain_pending(public_id=round_.public_id) == 0

    assert not any("pending" in why for why in whys().values())
    kept = {name: why for name, why in some.items() if "pending" not in why}
    assert len(kept) == 10
    assert kept.items() <= whys().items()


def test_a_reason_that_is_written_is_not_written_over():
    round_ = big_round()
    first = Allocation.objects.order_by("pk")[0]
    Allocation.objects.filter(pk=first.pk).update(why={"sentence": "written by another worker"})

    explain_pending(public_id=round_.public_id)

    first.refresh_from_db()
    assert first.why == {"sentence": "written by another worker"}


@pytest.mark.django_db(transaction=True)
def test_the_sweep_asks_again_for_reasons_whose_hint_was_lost(monkeypatch):
    round_ = big_round()
    asked = []
    monkeypatch.setattr("scheduler.hints._send", lambda task, about, priority: asked.append((task, about)))

    reasons.wake_unexplained(now=NOON + timedelta(seconds=20))
    assert asked == []
    reasons.wake_unexplained(now=NOON + timedelta(seconds=40))
    assert asked == [("explain_round", round_.public_id)]

    tasks.explain_round(round_.public_id)
    reasons.wake_unexplained(now=NOON + timedelta(seconds=80))
    assert len(asked) == 1


@pytest.mark.django_db(transaction=True)
def test_a_big_round_wakes_its_explanation_once_it_is_committed(monkeypatch):
    asked = []
    monkeypatch.setattr("scheduler.hints._send", lambda task, about, priority: asked.append((task, about)))

    round_ = big_round()

    assert asked == [("explain_round", round_.public_id)]


@pytest.mark.django_db(transaction=True)
def test_a_full_batch_wakes_nobody_since_what_waits_goes_first(monkeypatch):
    asked = []
    monkeypatch.setattr("scheduler.hints._send", lambda task, about, priority: asked.append((task, about)))

    round_ = big_round(most=JOBS)

    assert asked == []
    assert not fresh(round_).explained
    reasons.wake_unexplained(now=NOON + timedelta(seconds=40))
    assert asked == [("explain_round", round_.public_id)]


def test_behind_the_reasons_of_a_round_come_those_of_the_oldest_other(monkeypatch):
    first, second, third = (big_round() for _ in range(3))
    asked = []
    monkeypatch.setattr(reasons, "wake_explaining", asked.append)

    explain_pending(public_id=third.public_id)
    assert asked == [first.public_id]
    explain_pending(public_id=first.public_id)
    explain_pending(public_id=second.public_id)

    assert asked == [first.public_id, second.public_id]
    assert not any("pending" in why for why in whys().values())


def test_new_jobs_go_before_reasons():
    round_ = big_round()
    job = make_job(now=NOON, name="new")

    assert explain_pending(public_id=round_.public_id) == 0

    cancel_job(job=job, now=NOON)
    assert explain_pending(public_id=round_.public_id) == JOBS
