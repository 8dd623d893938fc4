"""What organizations use of a segment is counted when it is promised, corrected when it ends, and decides who waits."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Organization
from marketplace.booking.hours import hours_by_day
from marketplace.booking.services import take_hours
from scheduler import commit, recording
from scheduler.attempts import end_attempt, mark_running
from scheduler.core.fairness import WHOLE
from scheduler.cycle import replay, run_round
from scheduler.fairness import count_promises, read_overs
from scheduler.jobfile import parse
from scheduler.models import Allocation, Attempt, Job, MatchRound, SegmentUse
from scheduler.services import Actor, cancel_job, submit_job
from tests.core.exchange import decayed
from tests.market import NOON, make_organization
from tests.scheduler.scene import TestAgent, allocated, make_cpu_offer, make_job

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FILE = "name: hello\nrun: echo hello\nresources: {cpus: 1}\nconfig: {joulemart: {time_limit_s: 120%s}}\n"


def work_of(organization, segment="cpu"):
    return SegmentUse.objects.get(organization=organization, segment=segment).work


def has_used(organization, work, *, on=NOON, segment="cpu"):
    count_promises(segment=segment, promised=[(organization.pk, work)], now=on)


def over(organization, *others, now=NOON):
    """How far `organization` is over its part, where nobody but it and `others` is sure to have one."""
    everybody = [each.pk for each in (organization, *others)]
    return read_overs(segment="cpu", buyers=everybody, now=now)[organization.pk]


def submitted(organization, *, more="", now=NOON):
    return submit_job(actor=Actor(organization=organization), file=parse(FILE % more), now=now)


def ran(offer, agent, buyer, *, reason, seconds):
    """A job that was promised 600 s from NOON, began 10 s later and ended for `reason` after so many more."""
    allocated(offer, now=NOON, buyer=buyer)
    [lease] = agent.claim(now=NOON)
    attempt = lease.attempt
    mark_running(attempt=attempt, now=NOON + timedelta(seconds=10))
    end_attempt(attempt=attempt, reason=reason, now=NOON + timedelta(seconds=10 + seconds))


@pytest.fixture
def buyer():
    return make_organization()


@pytest.fixture
def offer():
    return make_cpu_offer(units=8)


def test_what_a_round_promises_counts_at_once_and_in_full(offer, buyer):
    job = make_job(now=NOON, buyer=buyer, units=2)
    job.ask["units"] = 2
    job.save()
    make_job(now=NOON, buyer=buyer)

    run_round(segment="cpu", now=NOON)

    assert work_of(buyer) == (2 + 1) * 600 * offer.hardware.pf_milli


@pytest.mark.parametrize(
    ("reason", "counted"),
    [("succeeded", 90), ("exit_nonzero", 90), ("out_of_memory", 90), ("node_failed", 0), ("lease_lost", 0)],
)
def test_only_the_seconds_that_ran_and_are_not_the_providers_loss_stay_counted(offer, buyer, reason, counted):
    ran(offer, TestAgent(offer, now=NOON), buyer, reason=reason, seconds=90)

    assert work_of(buyer) == counted


def test_a_run_longer_than_was_promised_counts_as_what_was_promised(offer, buyer):
    ran(offer, TestAgent(offer, now=NOON), buyer, reason="time_limit", seconds=700)

    assert work_of(buyer) == 600


def test_a_job_cancelled_before_it_started_gives_everything_back_once(offer, buyer):
    attempt = allocated(offer, now=NOON, buyer=buyer)
    has_used(buyer, 1_000)

    cancel_job(job=attempt.job, now=NOON)
    cancel_job(job=attempt.job, now=NOON)

    assert work_of(buyer) == 1_000


def test_what_is_given_back_days_later_has_faded_like_the_rest(offer, buyer):
    attempt = allocated(offer, now=NOON, buyer=buyer)
    has_used(buyer, 10_000)
    has_used(buyer, 500, on=NOON + DAY)

    cancel_job(job=attempt.job, now=NOON + 3 * DAY)

    left = decayed(decayed(10_600, 1) + 500, 2) - decayed(600, 3)
    assert work_of(buyer) == left == pytest.approx(decayed(10_000, 3) + decayed(500, 2), abs=3)


def test_use_that_a_clock_behind_reports_is_counted_as_faded(buyer):
    has_used(buyer, 1_000, on=NOON + 2 * DAY)
    has_used(buyer, 1_000, on=NOON)

    row = SegmentUse.objects.get()
    assert (row.day, row.work) == ((NOON + 2 * DAY).date(), 1_000 + decayed(1_000, 2))


@settings(max_examples=30, deadline=None)
@given(work=st.integers(0, 10**17), days=st.integers(-2, 120))
def test_the_database_lets_use_fade_as_the_plain_twin_does(work, days):
    with connection.cursor() as cursor:
        cursor.execute("SELECT work_decayed(%s, %s)", [work, days])
        assert cursor.fetchone()[0] == decayed(work, days)


def test_use_never_falls_below_nothing(buyer):
    has_used(buyer, 1)
    with pytest.raises(IntegrityError, match="segment_use_not_negative"), transaction.atomic():
        SegmentUse.objects.update(work=-1)
    with pytest.raises(IntegrityError, match="organization_weight_in_range"), transaction.atomic():
        Organization.objects.update(weight=0)


@pytest.mark.django_db(transaction=True)
def test_promises_counted_by_several_workers_at_once_all_count(buyer):
    other = make_organization()

    def count(*order):
        try:
            for _ in range(25):
                count_promises(segment="cpu", promised=[(each.pk, 1) for each in order], now=NOON)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as workers:
        for done in [workers.submit(count, *order) for order in ((buyer, other), (other, buyer), (buyer, other))]:
            done.result(timeout=60)

    assert [work_of(buyer), work_of(other)] == [75, 75]


@pytest.mark.django_db(transaction=True)
def test_what_shards_of_a_family_share_is_locked_when_all_else_of_a_round_is_written(buyer, monkeypatch):
    make_cpu_offer(units=2)
    has_used(buyer, 1)
    make_job(now=NOON, buyer=buyer)
    write, free = commit.write_rows, []

    def looked_at(rows):
        write(rows)
        with connection.cursor() as ours:
            ours.execute("SELECT 1")
            ours.fetchone()  # what was sent before is done
        with closing(connection.copy()) as other, other.cursor() as theirs:
            theirs.execute("SELECT count(*) FROM (SELECT FROM scheduler_segmentuse FOR UPDATE SKIP LOCKED) AS free")
            free.append(theirs.fetchone())

    monkeypatch.setattr(commit, "write_rows", looked_at)
    assert run_round(segment="cpu", now=NOON, mode="greedy").placed == 1

    assert free == [(1,)] * 3  # after contracts, allocations and attempts
    assert work_of(buyer) > 1


def test_the_part_of_an_organization_is_measured_among_those_with_use_or_queued_jobs(buyer):
    modest, idle, queued = (make_organization() for _ in range(3))
    has_used(buyer, 3_000)
    has_used(modest, 1_000)
    has_used(idle, 1, on=NOON - 30 * DAY)  # forgotten by now
    has_used(buyer, 10**9, segment="accelerator")
    assert over(buyer) == 1_500_000

    SegmentUse.objects.create(segment="cpu", organization=queued, day=NOON.date())
    assert over(buyer) == 1_500_000
    make_job(now=NOON, buyer=queued)
    assert over(buyer) == 2_250_000

    Organization.objects.filter(pk=buyer.pk).update(weight=4)
    assert over(buyer) == 3_000 * 6 * WHOLE // (4_000 * 4)


def test_a_job_of_an_organization_within_its_part_is_due_after_six_hours(offer, buyer):
    TestAgent(offer, now=NOON)

    assert submitted(buyer).due_at == NOON + 6 * HOUR


def test_a_job_of_an_organization_at_three_times_its_part_is_due_after_18_hours_and_stays_so(offer, buyer):
    TestAgent(offer, now=NOON)
    has_used(buyer, 3_000)
    has_used(make_organization(), 1_000)
    for _ in range(2):  # queued jobs alone are a part too
        submitted(make_organization())

    job = submitted(buyer)
    has_used(buyer, 10**9)
    run_round(segment="cpu", now=NOON)
    end_attempt(attempt=Attempt.objects.get(job=job), reason="node_failed", now=NOON + HOUR)

    job.refresh_from_db()
    assert (job.state, job.due_at) == ("queued", NOON + 18 * HOUR)


def test_the_wait_until_a_job_is_due_begins_when_it_may_start(offer, buyer):
    TestAgent(offer, now=NOON)

    job = submitted(buyer, more=", start_after: '2026-11-24T06:00:00Z'")

    assert job.due_at == NOON + 18 * HOUR + 6 * HOUR


def test_a_round_sees_how_long_jobs_waited_and_who_is_over_its_part_and_can_be_replayed(offer, buyer):
    modest = make_organization()
    has_used(buyer, 3_000)
    has_used(modest, 1_000)
    old = make_job(now=NOON, buyer=buyer, created_at=NOON - 3 * HOUR)
    late = make_job(now=NOON, buyer=modest, created_at=NOON - 9 * HOUR, start_after=NOON - HOUR)

    round_ = MatchRound.objects.get(pk=run_round(segment="cpu", now=NOON).pk)

    p_mid = round_.reference.p_mid
    seen = {each.id: (each.age_mm, each.share_mm) for each in recording.snapshot_of(round_).asks}
    assert seen == {old.public_id: (p_mid // 2, -p_mid // 4), late.public_id: (p_mid // 6, p_mid // 4)}
    assert replay(round_)


def test_of_two_jobs_alike_the_one_whose_organization_used_less_gets_the_last_unit(buyer):
    make_cpu_offer(units=1)
    modest = make_organization()
    has_used(buyer, 2_000)
    has_used(modest, 1_000)
    first, second = make_job(now=NOON, buyer=buyer), make_job(now=NOON, buyer=modest)

    run_round(segment="cpu", now=NOON)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("queued", "allocated")


def test_a_due_job_of_any_length_gets_week_two_which_other_jobs_leave_alone(buyer):
    offer = make_cpu_offer(units=1)
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + 200 * HOUR, 1), units=1)
    due, other = (make_job(now=NOON, buyer=buyer, time_limit_s=36_000) for _ in range(2))
    Job.objects.update(ask=due.ask | {"run_s": 36_000})
    Job.objects.filter(pk=due.pk).update(due_at=NOON)

    round_ = run_round(segment="cpu", now=NOON)

    assert replay(MatchRound.objects.get(pk=round_.pk))
    allocation = Allocation.objects.get()
    assert (allocation.job, allocation.start) == (due, NOON + 200 * HOUR)
    other.refresh_from_db()
    assert (other.state, other.unplaced["code"]) == ("queued", "no_capacity")


def test_a_round_asks_the_database_as_often_for_twenty_organizations_as_for_two():
    make_cpu_offer(units=64)

    def queries(organizations, now):
        for _ in range(organizations):
            buyer = make_organization()
            has_used(buyer, 1_000)
            make_job(now=now, buyer=buyer)
        with CaptureQueriesContext(connection) as caught:
            run_round(segment="cpu", now=now)
        return len(caught)

    queries(2, NOON)

    assert queries(2, NOON + HOUR) == queries(20, NOON + 2 * HOUR)


def test_what_was_allocated_before_use_was_counted_is_counted_alike(offer, buyer):
    """The migration that fills the table finds what rounds and ends of attempts counted one by one."""
    other = make_organization()
    agent = TestAgent(offer, now=NOON)
    ran(offer, agent, buyer, reason="succeeded", seconds=90)
    ran(offer, agent, buyer, reason="node_failed", seconds=90)
    ran(offer, agent, other, reason="time_limit", seconds=900)
    cancel_job(job=allocated(offer, now=NOON, buyer=buyer).job, now=NOON)
    allocated(offer, now=NOON, buyer=buyer)
    submitted(make_organization())
    counted = list(SegmentUse.objects.order_by("organization"))
    SegmentUse.objects.all().delete()

    with connection.cursor() as cursor:
        cursor.execute(importlib.import_module("scheduler.migrations.0007_count_past_use").FILL)

    filled = list(SegmentUse.objects.order_by("organization"))
    assert [row.work for row in counted] == [690, 600, 0]
    assert [row.organization for row in filled] == [row.organization for row in counted]
    for past, row in zip(counted, filled, strict=True):
        assert row.work == pytest.approx(decayed(past.work, (row.day - past.day).days), abs=3)
