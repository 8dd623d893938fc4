"""Match rounds on PostgreSQL: what waits is allocated with its reasons, or refused with a way out."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from marketplace.booking.hours import hours_by_day
from marketplace.booking.models import CapacityDay, Contract
from marketplace.booking.services import take_hours
from marketplace.events.models import Event
from scheduler import cycle
from scheduler.core import matching
from scheduler.cycle import run_round
from scheduler.errors import NeverFits
from scheduler.explaining import refusal_as_told
from scheduler.jobfile import parse
from scheduler.models import Allocation, Attempt, Job, MatchRound
from scheduler.services import Actor, cancel_job, expire_jobs, relax_job, submit_job
from tests.market import MONDAY, NOON, make_organization
from tests.scheduler.scene import TestAgent, make_cpu_offer, make_job

pytestmark = pytest.mark.django_db
SOON = timedelta(seconds=30)


def match(now=NOON):
    return run_round(segment="cpu", now=now)


def limited(**limits):
    """A job's ask with these limits, in the core's units."""
    return {
        "units": 1, "run_s": 600, "segment": "cpu", "weights": [40, 20, 40], "when": "balanced", "near": None,
        "limits": {"family": ["cpu"], **limits}, "rates": None, "reference_pf_milli": None, "time_limit_by_class": {},
    }  # fmt: skip


def promised(offer):
    """{hour of MONDAY: units} that are promised."""
    row = CapacityDay.objects.get(offer=offer, day=MONDAY.date())
    return {hour: units for hour, units in enumerate(row.units_promised) if units}


def fresh(job):
    return Job.objects.get(pk=job.pk)


def meanwhile(monkeypatch, act):
    """Let `act` happen after a round has read its snapshot and before it writes."""
    decide = matching.match

    def decided_then_changed(snapshot):
        plan = decide(snapshot)
        act()
        return plan

    monkeypatch.setattr(cycle.matching, "match", decided_then_changed)


def test_a_queued_job_gets_hours_an_attempt_a_contract_and_an_event():
    offer = make_cpu_offer()
    job = make_job(now=NOON)

    round_ = match()

    attempt = Attempt.objects.get(job=job)
    allocation = attempt.allocation
    assert (round_.jobs_seen, round_.placed, round_.conflicts) == (1, 1, 0)
    assert fresh(job).state == "allocated"
    assert (attempt.number, attempt.state) == (1, "pending")
    assert (allocation.offer, allocation.round, allocation.start) == (offer, round_, NOON)
    assert promised(offer) == {12: 1}
    contract = Contract.objects.get(subject=allocation.public_id)
    assert (contract.units, contract.end) == (1, NOON + timedelta(seconds=600))
    event = Event.objects.get(object_id=job.public_id)
    assert (event.type, event.object_seq, event.provider) == ("job.allocated", 2, offer.site.provider)


def test_an_allocation_says_why_it_was_chosen_who_came_second_and_who_was_refused():
    best, second = make_cpu_offer(), make_cpu_offer()
    second.rate_mm = [8_000] * 168
    second.save()
    dear = make_cpu_offer()
    dear.rate_mm = [900_000] * 168
    dear.save()
    job = make_job(now=NOON, ask=limited(price__lte=100))

    match()

    why = Allocation.objects.get(job=job).why
    assert why["chosen"]["offer"] == best.public_id
    assert sum(why["chosen"]["terms"].values()) == why["chosen"]["z"]
    assert why["runner_up"]["offer"] == second.public_id
    assert why["runner_up"]["difference"]["z"] == why["runner_up"]["z"] - why["chosen"]["z"] > 0
    assert [(each["offer"], each["limits"]) for each in why["refused"]] == [(dear.public_id, ["price"])]
    assert best.title in why["sentence"]


def test_jobs_beyond_the_units_wait_with_the_reason_and_are_tried_again():
    offer = make_cpu_offer(units=2)
    jobs = [make_job(now=NOON, name=f"job {number}") for number in range(3)]

    round_ = match()

    states = sorted(fresh(job).state for job in jobs)
    assert states == ["allocated", "allocated", "queued"]
    assert (round_.placed, round_.unplaced_reasons) == (2, {"outbid": 1})
    waiting = next(fresh(job) for job in jobs if fresh(job).state == "queued")
    assert waiting.unplaced["code"] == "outbid"
    assert NOON < waiting.next_attempt_at <= NOON + SOON
    assert promised(offer) == {12: 2}

    cancel_job(job=next(fresh(job) for job in jobs if fresh(job).state == "allocated"), now=NOON)
    match(NOON + SOON)

    assert fresh(waiting).state == "allocated"
    assert fresh(waiting).unplaced is None


def test_a_refusal_says_what_to_relax_and_relaxing_it_places_the_job():
    make_cpu_offer()
    job = make_job(now=NOON, ask=limited(price__lte=1))

    match()

    waiting = fresh(job)
    way_out = refusal_as_told(waiting.unplaced)["relax"][0]
    assert waiting.state == "queued"
    assert waiting.unplaced["rejected"] == {"price": 1}
    assert way_out["limit"] == "price__lte"

    relax_job(job=waiting, limits=way_out["changes"], now=NOON)
    match()

    assert fresh(job).state == "allocated"


def test_relaxing_by_less_than_what_was_said_does_not_help():
    make_cpu_offer()
    job = make_job(now=NOON, ask=limited(price__lte=1))
    match()
    way_out = refusal_as_told(fresh(job).unplaced)["relax"][0]

    relax_job(job=fresh(job), limits={"price__lte": way_out["to"] - 1}, now=NOON)
    match()

    assert fresh(job).state == "queued"


def test_a_job_for_more_units_than_exist_is_placed_once_it_asks_for_as_many_as_was_said():
    offer = make_cpu_offer(units=2)
    job = make_job(now=NOON, units=3, ask=limited() | {"units": 3})
    match()
    way_out = refusal_as_told(fresh(job).unplaced)["relax"][0]

    relax_job(job=fresh(job), limits=way_out["changes"], now=NOON)
    match()

    assert way_out["changes"] == {"units": 2}
    assert (fresh(job).state, fresh(job).units, promised(offer)) == ("allocated", 2, {12: 2})


def test_a_job_relaxed_while_its_old_refusal_is_repeated_keeps_its_turn(monkeypatch):
    make_cpu_offer()
    job = make_job(now=NOON, ask=limited(price__lte=1))
    match()
    with monkeypatch.context() as patch:
        meanwhile(patch, lambda: relax_job(job=fresh(job), limits={"price__lte": None}, now=NOON + SOON))
        match(NOON + SOON)

    match(NOON + SOON)

    assert fresh(job).state == "allocated"


def test_a_round_on_an_empty_shelf_says_that_nothing_fits():
    job = make_job(now=NOON)

    round_ = match()

    assert (round_.placed, round_.ratio_bp) == (0, None)
    assert fresh(job).unplaced["code"] == "never_fits"


def test_a_round_without_a_job_whose_turn_has_come_does_nothing():
    make_cpu_offer()
    make_job(now=NOON, next_attempt_at=NOON + SOON)

    assert match() is None
    assert not MatchRound.objects.exists()


def test_jobs_of_another_segment_are_left_alone():
    make_cpu_offer()
    job = make_job(now=NOON, segment="accelerator")

    assert match() is None
    assert fresh(job).state == "queued"


def test_a_round_with_nothing_new_to_say_leaves_no_record_and_tries_again_later():
    make_cpu_offer()
    job = make_job(now=NOON, ask=limited(price__lte=1))
    first = match()
    told = fresh(job).unplaced

    again = match(NOON + SOON)

    assert (first.jobs_seen, again) == (1, None)
    assert MatchRound.objects.count() == 1
    assert fresh(job).unplaced == told
    assert fresh(job).next_attempt_at > NOON + SOON


def test_a_refusal_for_another_reason_is_told_again():
    offer = make_cpu_offer(units=1)
    job = make_job(now=NOON)
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + timedelta(hours=12), 1), units=1)
    match()
    before = fresh(job).unplaced["code"]
    offer.rate_mm = [900_000] * 168
    offer.save()
    relax_job(job=fresh(job), limits={"price__lte": 1}, now=NOON)

    match()

    assert before != fresh(job).unplaced["code"] == "never_fits"
    assert MatchRound.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_second_worker_on_the_same_segment_leaves_it_to_the_first(monkeypatch):
    make_cpu_offer()
    job = make_job(now=NOON)
    answers = []

    def second_worker():
        answers.append(run_round(segment="cpu", now=NOON))
        connection.close()

    def meet():
        worker = threading.Thread(target=second_worker)
        worker.start()
        worker.join(timeout=20)

    meanwhile(monkeypatch, meet)

    round_ = match()

    assert answers == [None]
    assert round_.placed == 1
    assert Attempt.objects.filter(job=job).count() == 1
    assert MatchRound.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_segment_is_free_again_after_a_round_that_failed(monkeypatch):
    make_cpu_offer()
    make_job(now=NOON)

    def fail():
        raise RuntimeError("the machine stopped")

    with monkeypatch.context() as patch:
        meanwhile(patch, fail)
        with pytest.raises(RuntimeError, match="stopped"):
            match()
    answers = []

    def another_worker():
        answers.append(run_round(segment="cpu", now=NOON))
        connection.close()

    worker = threading.Thread(target=another_worker)
    worker.start()
    worker.join(timeout=20)

    assert [round_.placed for round_ in answers] == [1]


def test_a_job_changed_after_the_snapshot_is_a_conflict_and_keeps_the_change(monkeypatch):
    offer = make_cpu_offer()
    job = make_job(now=NOON)
    meanwhile(monkeypatch, lambda: relax_job(job=fresh(job), limits={"price__lte": 1_000}, now=NOON))

    round_ = match()

    assert (round_.placed, round_.conflicts) == (0, 1)
    assert fresh(job).state == "queued"
    assert fresh(job).ask["limits"]["price__lte"] == 1_000
    assert promised(offer) == {}
    assert not Allocation.objects.exists()
    assert not Contract.objects.exists()


def test_a_job_cancelled_after_the_snapshot_stays_cancelled(monkeypatch):
    offer = make_cpu_offer()
    job = make_job(now=NOON)
    meanwhile(monkeypatch, lambda: cancel_job(job=fresh(job), now=NOON))

    match()

    assert fresh(job).state == "cancelled"
    assert promised(offer) == {}


def test_hours_that_went_after_the_snapshot_are_a_conflict_and_nothing_is_half_done(monkeypatch):
    offer = make_cpu_offer(units=1)
    job = make_job(now=NOON)
    hours = hours_by_day(NOON, NOON + timedelta(hours=1), 1)
    meanwhile(monkeypatch, lambda: take_hours(offer=offer, wanted=hours, units=1))

    round_ = match()

    assert (round_.placed, round_.conflicts) == (0, 1)
    assert fresh(job).state == "queued"
    assert promised(offer) == {12: 1}
    assert not Attempt.objects.exists()
    assert not Contract.objects.exists()


def test_a_site_that_failed_is_avoided_while_another_fits():
    failed, other = make_cpu_offer(), make_cpu_offer()
    other.rate_mm = [9_000] * 168
    other.save()
    job = make_job(now=NOON, excluded_sites=[failed.site.public_id])

    match()

    assert Allocation.objects.get(job=job).offer == other


def test_a_site_that_failed_is_allowed_again_when_nothing_else_fits():
    offer = make_cpu_offer()
    job = make_job(now=NOON, excluded_sites=[offer.site.public_id])

    match()
    after_first = fresh(job)
    match()

    assert (after_first.state, after_first.excluded_sites) == ("queued", [])
    assert fresh(job).state == "allocated"


FILE = """\
name: hello
run: echo hello
resources: {cpus: %s}
config:
  joulemart:
    time_limit_s: 120
"""


def test_a_job_that_no_offer_can_ever_take_is_refused_at_submission_and_leaves_nothing():
    TestAgent(make_cpu_offer(units=2), now=NOON)
    actor = Actor(organization=make_organization())

    with pytest.raises(NeverFits) as refused:
        submit_job(actor=actor, file=parse(FILE % 5), now=NOON)

    assert refused.value.facts["rejected"] == {"capacity": 1}
    assert refused.value.facts["relax"][0]["limit"] == "units"
    assert not Job.objects.exists()
    assert not Event.objects.filter(type__startswith="job.").exists()


def test_a_job_that_an_offer_can_take_is_queued_and_told():
    TestAgent(make_cpu_offer(units=2), now=NOON)

    job = submit_job(actor=Actor(organization=make_organization()), file=parse(FILE % 2), now=NOON)

    assert (job.state, job.units, job.segment) == ("queued", 2, "cpu")
    event = Event.objects.get(object_id=job.public_id)
    assert (event.type, event.object_seq) == ("job.queued", 1)


def test_a_cancelled_waiting_job_ends_at_once_and_is_not_matched():
    make_cpu_offer()
    job = make_job(now=NOON)

    cancel_job(job=job, now=NOON)

    ended = fresh(job)
    assert (ended.state, ended.reason, ended.finished_at) == ("cancelled", "cancelled", NOON)
    assert match() is None


def test_a_job_whose_window_passed_expires_and_says_so():
    job = make_job(now=NOON, finish_by=NOON + timedelta(minutes=20))

    assert expire_jobs(now=NOON + timedelta(minutes=8)) == 0  # the latest start of a run of ten minutes
    assert expire_jobs(now=NOON + timedelta(minutes=8, seconds=1)) == 1
    assert fresh(job).state == "expired"
    assert Event.objects.get(object_id=job.public_id).type == "job.expired"
    assert expire_jobs(now=NOON + timedelta(minutes=12)) == 0
