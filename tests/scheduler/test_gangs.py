"""Jobs of a gang: they join it, are allocated together or not at all, and share what happens to one of them."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.utils import IntegrityError

from marketplace.booking.hours import hours_by_day
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import take_hours
from marketplace.common.errors import ValidationFailed
from scheduler.attempts import end_attempt
from scheduler.commit import commit_plan
from scheduler.core.types import Placement, Plan
from scheduler.cycle import replay, run_round
from scheduler.gangs import follow_gangs
from scheduler.instant import place_now
from scheduler.jobfile import JobFileInvalid, parse
from scheduler.jobview import job_as_json
from scheduler.leases import cancel_asked
from scheduler.models import Allocation, Attempt, Gang, Job
from scheduler.services import Actor, cancel_job, retry_job, submit_job
from scheduler.snapshot import Shelf
from scheduler.story import attempt_sentence
from tests.market import MONDAY, NOON, make_organization
from tests.scheduler.scene import TestAgent, held_by_somebody, make_cpu_offer, make_job, make_round, queued

pytestmark = pytest.mark.django_db
SOON = timedelta(seconds=30)


def file(gang="train", size=2, **market):
    lines = "".join(f"    {name}: {value}\n" for name, value in market.items())
    return parse(
        f"name: worker\nrun: echo hello\nconfig:\n  joulemart:\n    time_limit_s: 600\n"
        f"    gang_id: {gang}\n    gang_size: {size}\n{lines}"
    )


def submit(buyer, *, now=NOON, **fields):
    return submit_job(actor=Actor(organization=buyer), file=file(**fields), now=now)


def make_gang(*, size=2, units=1, buyer=None, **fields):
    """`size` waiting jobs of one gang."""
    buyer = buyer or make_organization()
    gang = Gang.objects.create(buyer=buyer, name="train", size=size, segment="cpu", created_at=NOON)
    return [
        make_job(now=NOON, name=str(number), units=units, buyer=buyer, gang=gang, **fields) for number in range(size)
    ]


def states(jobs):
    return [Job.objects.get(pk=job.pk).state for job in jobs]


def match(now=NOON):
    return run_round(segment="cpu", now=now)


def promised(offer):
    row = CapacityDay.objects.get(offer=offer, day=MONDAY.date())
    return {hour: units for hour, units in enumerate(row.units_promised) if units}


@pytest.fixture
def served():
    """Two units of processors with an agent beside them."""
    offer = make_cpu_offer(units=2)
    return offer, TestAgent(offer, now=NOON)


def test_jobs_that_name_one_gang_join_it_and_all_wait_as_long_as_the_last(served):
    buyer = make_organization()
    first = submit(buyer)
    second = submit(buyer, now=NOON + SOON)

    gang = Gang.objects.get()
    assert (gang.name, gang.size, gang.segment, gang.jobs.count()) == ("train", 2, "cpu", 2)
    first.refresh_from_db()
    assert first.due_at == second.due_at
    assert job_as_json(Job.objects.with_story().get(pk=first.pk), NOON)["gang"] == {"id": "train", "size": 2}


def test_a_gang_that_lacks_a_job_waits_and_says_so(served):
    job = submit(make_organization())

    assert match() is not None

    job.refresh_from_db()
    told = job_as_json(Job.objects.with_story().get(pk=job.pk), NOON)
    assert (job.state, job.unplaced["code"]) == ("queued", "gang_incomplete")
    assert told["sentence"] == "Its gang starts together: it waits until all its jobs are here and fit at one time."


def test_the_last_job_to_join_has_all_of_them_allocated_at_one_start(served):
    offer, _ = served
    buyer = make_organization()
    jobs = [submit(buyer)]
    match()
    jobs.append(submit(buyer, now=NOON + SOON))

    [round_] = place_now(segment="cpu", now=NOON + SOON)

    assert states(jobs) == ["allocated", "allocated"]
    assert len(set(Allocation.objects.values_list("start"))) == 1
    assert promised(offer) == {12: 2}
    assert replay(round_)


def test_a_gang_that_does_not_fit_as_a_whole_takes_nothing_though_others_do(served):
    offer, _ = served
    jobs = make_gang(size=3)
    other = make_job(now=NOON, name="alone")

    match()

    assert states([*jobs, other]) == ["queued", "queued", "queued", "allocated"]
    assert promised(offer) == {12: 1}
    assert {Job.objects.get(pk=job.pk).unplaced["code"] for job in jobs} == {"gang_incomplete"}


def test_the_reasons_are_those_of_the_start_that_the_gang_takes():
    """Hour 13 is the cheapest for one of them, hour 14 the first at which the offer has units for both."""
    offer = make_cpu_offer(units=2)
    offer.rate_mm = [4_000 - 1_000 * (hour % 24 in (13, 14)) for hour in range(168)]
    offer.save(update_fields=["rate_mm"])
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + timedelta(hours=2), 1), units=1)
    make_gang(ask=long_ask(), time_limit_s=3600)

    match()

    for allocation in Allocation.objects.all():
        assert allocation.start == NOON + timedelta(hours=2)
        assert allocation.why["chosen"]["start_s"] == int(allocation.start.timestamp())


def long_ask():
    return {
        "units": 1, "run_s": 3600, "segment": "cpu", "weights": [40, 20, 40], "when": "cheapest", "near": None,
        "limits": {"family": ["cpu"]}, "rates": None, "reference_pf_milli": None, "time_limit_by_class": {},
    }  # fmt: skip


def test_one_job_that_changed_meanwhile_keeps_its_gang_from_being_written_and_the_others_are(served):
    offer, _ = served
    jobs, alone = make_gang(), make_job(now=NOON, name="alone")
    queue = queued(NOON)
    Job.objects.filter(pk=jobs[1].pk).update(version=2)

    outcome = commit(queue, [offer], *[placed(job, offer) for job in (*jobs, alone)])

    assert (outcome.placed, outcome.conflicts) == (1, 2)
    assert states([*jobs, alone]) == ["queued", "queued", "allocated"]
    assert promised(offer) == {12: 1}


def test_hours_that_went_from_one_job_of_a_gang_are_given_back_by_the_others():
    """The gang holds hours of two offers; another sale took those of one of them meanwhile."""
    here, there = make_cpu_offer(units=2), make_cpu_offer(units=1)
    jobs, alone = make_gang(), make_job(now=NOON, name="alone")
    queue = queued(NOON)
    take_hours(offer=there, wanted=hours_by_day(NOON, NOON + timedelta(hours=1), 1), units=1)

    outcome = commit(
        queue, [here, there], placed(jobs[0], here, worth=9), placed(jobs[1], there, worth=9), placed(alone, here)
    )

    assert (outcome.placed, outcome.conflicts) == (1, 2)
    assert (promised(here), promised(there)) == ({12: 1}, {12: 1})
    assert states([*jobs, alone]) == ["queued", "queued", "allocated"]


def placed(job, offer, worth=1):
    start = int(NOON.timestamp())
    return Placement(job.public_id, offer.public_id, start, start + 600, job.units, (), 1, 1, worth)


def commit(queue, offers, *placements):
    return commit_plan(
        plan=Plan(placements, ()), queue=queue, shelf=Shelf(offers, ()), round_=make_round(NOON),
        explain=lambda: lambda _: {"sentence": "It fits."}, prepare_round=lambda: lambda _: None, now=NOON,
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("torn", ["one waits", "one lacks", "two starts"])
def test_the_database_refuses_a_gang_that_is_torn(torn):
    offer = make_cpu_offer(units=4)
    jobs = make_gang(size=3)[: 2 if torn == "one lacks" else 3]
    if torn == "one lacks":
        lone = Gang.objects.create(buyer=make_organization(), name="other", size=2, segment="cpu", created_at=NOON)
        jobs = [make_job(now=NOON, buyer=lone.buyer, gang=lone)]
    queue = queued(NOON)
    plan = [placed(job, offer) for job in (jobs[:2] if torn == "one waits" else jobs)]
    if torn == "two starts":
        plan[0] = Placement(*(plan[0].ask, plan[0].offer, plan[0].start_s + 3600, plan[0].end_s + 3600, 1, (), 1, 1, 1))

    with pytest.raises(IntegrityError, match="does not start together"):
        commit(queue, [offer], *plan)

    assert set(states(jobs)) == {"queued"}
    assert promised(offer) == {}


def test_the_database_refuses_a_job_too_many_one_of_another_buyer_and_a_change_of_gang():
    jobs = make_gang()
    gang = jobs[0].gang

    for buyer, segment in ((gang.buyer, "cpu"), (make_organization(), "cpu")):
        with pytest.raises(IntegrityError, match="does not belong in gang"), transaction.atomic():
            make_job(now=NOON, buyer=buyer, segment=segment, gang=gang)
    with pytest.raises(Exception, match="Cannot update rows"), transaction.atomic():
        Job.objects.filter(pk=jobs[0].pk).update(gang=None)


@pytest.mark.parametrize(
    ("begun", "market", "said"),
    [
        ({"size": 2}, {"size": 3}, "was begun with 2 jobs, this one says 3"),
        ({"size": 2, "twice": True}, {"size": 2}, "has its 2 jobs already"),
    ],
)
def test_a_job_that_does_not_belong_in_the_gang_is_refused_and_nothing_is_written(served, begun, market, said):
    buyer = make_organization()
    for _ in range(2 if begun.pop("twice", False) else 1):
        submit(buyer, **begun)
    before = Job.objects.count()

    with pytest.raises(ValidationFailed) as refused:
        submit(buyer, **market)

    assert said in refused.value.problems[0].detail
    assert Job.objects.count() == before


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [
        ("gang_id: train", "gang_id"),
        ("gang_size: 4", "gang_size"),
        ("gang_id: train\n    gang_size: 1", "gang_size"),
        ("gang_id: train\n    gang_size: 65", "gang_size"),
        ("gang_id: ''\n    gang_size: 4", "gang_id"),
    ],
)
def test_a_job_file_names_a_gang_with_its_size_or_is_told_what_lacks(lines, pointer):
    with pytest.raises(JobFileInvalid) as refused:
        parse(f"run: echo\nconfig:\n  joulemart:\n    time_limit_s: 600\n    {lines}\n")

    assert [each.pointer for each in refused.value.errors] == [f"/config/joulemart/{pointer}"]


def test_one_job_that_fails_ends_all_others_and_the_name_is_free_again(served):
    buyer = make_organization()
    jobs = [submit(buyer), submit(buyer)]
    match()
    first = next(lease for lease in served[1].claim(now=NOON, most=1))
    end_attempt(attempt=first.attempt, reason="exit_nonzero", now=NOON + SOON)

    assert follow_gangs(now=NOON + SOON) == 1

    assert sorted(states(jobs)) == ["cancelled", "failed"]
    assert Gang.objects.get().ended_at == NOON + SOON
    assert follow_gangs(now=NOON + 2 * SOON) == 0
    again = retry_job(job=Job.objects.get(pk=jobs[0].pk), actor=Actor(organization=buyer), now=NOON + 2 * SOON)
    assert again.gang.jobs.count() == 1


def test_cancelling_one_cancels_the_gang(served):
    jobs = make_gang(size=3)

    cancel_job(job=jobs[1], now=NOON + SOON)
    follow_gangs(now=NOON + SOON)

    assert states(jobs) == ["cancelled"] * 3


def test_one_job_queued_again_takes_the_others_back_so_that_they_start_together_again(served):
    offer, _ = served
    jobs = make_gang(retries=2)
    match()
    lost = Attempt.objects.select_related("job", "allocation__offer__site").get(job=jobs[0])
    end_attempt(attempt=lost, reason="node_failed", now=NOON + SOON)

    assert follow_gangs(now=NOON + SOON) == 1

    assert states(jobs) == ["queued", "queued"]
    assert promised(offer) == {}
    assert Job.objects.get(pk=jobs[1].pk).excluded_sites == []  # that site did not fail it


def test_a_job_that_runs_is_stopped_when_another_lost_its_machine_and_loses_no_try(served):
    _, agent = served
    jobs = make_gang(retries=2)
    match()
    lost, runs = agent.claim(now=NOON)
    end_attempt(attempt=lost.attempt, reason="lease_lost", now=NOON + SOON)
    assert Job.objects.get(pk=lost.attempt.job.pk).state == "queued"

    assert follow_gangs(now=NOON + SOON) == 1

    runs.attempt.refresh_from_db()
    assert cancel_asked(runs, NOON + SOON)["reason"] == "preempted"
    assert attempt_sentence(runs.attempt).startswith("Ends at")
    assert follow_gangs(now=NOON + SOON) == 0, "told once"
    end_attempt(attempt=runs.attempt, reason="preempted", now=NOON + 2 * SOON)
    stopped = Job.objects.get(pk=runs.attempt.job.pk)
    assert (stopped.state, stopped.retries, stopped.excluded_sites) == ("queued", 3, [])
    later = NOON + timedelta(minutes=5)
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(excluded_sites=[])
    match(later)
    assert states(jobs) == ["allocated", "allocated"]
    assert len(set(Allocation.objects.filter(live=True).values_list("start"))) == 1


@pytest.mark.django_db(transaction=True)
def test_a_job_that_somebody_is_changing_is_left_to_the_next_time():
    """Whoever moves a job holds its lock; to wait for it here would be to wait in circles."""
    jobs = make_gang(size=3)
    cancel_job(job=jobs[0], now=NOON)

    with held_by_somebody(jobs[1]):
        assert follow_gangs(now=NOON + SOON) == 1

    assert states(jobs) == ["cancelled", "queued", "cancelled"]


def test_a_gang_of_which_all_have_succeeded_is_over(served):
    _, agent = served
    jobs = make_gang()
    match()
    for lease in agent.claim(now=NOON):
        end_attempt(attempt=lease.attempt, reason="succeeded", now=NOON + SOON)

    follow_gangs(now=NOON + SOON)

    assert states(jobs) == ["succeeded", "succeeded"]
    assert Gang.objects.get().ended_at == NOON + SOON


def test_jobs_of_a_gang_whose_turns_differ_are_looked_at_together(served):
    jobs = make_gang()
    match()  # allocated
    later = make_gang(buyer=make_organization())
    match()
    Job.objects.filter(pk=later[1].pk).update(next_attempt_at=NOON + timedelta(hours=1))

    assert set(queued(NOON + timedelta(minutes=1)).ids) == {job.public_id for job in later}
    assert states(jobs) == ["allocated", "allocated"]


def test_a_job_that_waits_out_a_grace_is_not_hurried_by_its_gang():
    jobs = make_gang()
    Job.objects.filter(pk=jobs[1].pk).update(next_attempt_at=NOON + timedelta(hours=1))

    assert queued(NOON).ids == [jobs[0].public_id]
    assert queued(NOON).gang_size.tolist() == [2]
