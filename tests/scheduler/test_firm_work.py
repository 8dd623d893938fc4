"""A round ends interruptible work for firm work: recorded, replayed, carried out whole or not at all."""

import multiprocessing
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, connections
from django.utils import timezone

from marketplace.booking.models import CapacityDay
from scheduler import makingroom
from scheduler.commit import commit_plan
from scheduler.core import matching
from scheduler.core.types import Plan
from scheduler.cycle import _look, read_waiting, replay, run_round
from scheduler.finishing import finish
from scheduler.models import Allocation, Attempt, MatchRound
from scheduler.recording import snapshot_of
from scheduler.references import reference_of
from scheduler.services import cancel_job
from scheduler.whyview import why_of
from tests.market import make_organization
from tests.scheduler.machines import make_pair, units_at
from tests.scheduler.scene import TestAgent, allocated, make_job, make_round
from tests.scheduler.test_leases import beat
from tests.scheduler.test_making_room import end, running, tell

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
FORK = multiprocessing.get_context("fork")
LONG_S = 160 * 3600


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def pair(now):
    return make_pair(now=now)


@pytest.fixture
def agent(pair, now):
    return TestAgent(pair[0], now=now)


def held(agent, offer, now, *, units=4, ran_s=1800):
    """Interruptible work that has run for `ran_s` and holds its units for a week."""
    lease = running(agent, offer, now, units=units, run_s=LONG_S)
    Attempt.objects.filter(pk=lease.attempt_id).update(started_at=now - timedelta(seconds=ran_s))
    return lease


def asked(units, run_s, tier):
    return {
        "units": units, "run_s": run_s, "segment": "cpu", "weights": [100, 0, 0], "when": "balanced", "near": None,
        "limits": {"family": ["cpu"], "tier": [tier]}, "rates": None, "reference_pf_milli": None,
        "time_limit_by_class": {},
    }  # fmt: skip


def firm_job(now, *, units=2, run_s=LONG_S, **fields):
    return make_job(now=now, ask=asked(units, run_s, "firm"), units=units, time_limit_s=run_s, **fields)


def test_a_round_gives_firm_work_the_units_and_tells_who_loses_least(pair, agent, now):
    firm, loose = pair
    old, young = held(agent, loose, now, units=2, ran_s=7200), held(agent, loose, now, units=2, ran_s=900)
    job = firm_job(now)

    round_ = run_round(segment="cpu", now=now, mode="batch")

    allocation = Allocation.objects.get(job=job, live=True)
    assert (round_.placed, round_.conflicts, round_.jobs_seen) == (1, 0, 1)
    assert allocation.offer == firm
    assert allocation.start == now.replace(microsecond=0) + timedelta(seconds=120), "when the notice is over"
    assert (units_at(firm, now + HOUR), units_at(loose, now + HOUR)) == ((4, 2), (2, 2))
    told = {each.pk: each.preempt_cause for each in Attempt.objects.filter(preempt_by__isnull=False)}
    assert told == {young.attempt_id: "firm_work"}
    assert Attempt.objects.get(pk=old.attempt_id).preempt_by is None
    job.refresh_from_db()
    assert (job.state, job.unplaced) == ("allocated", None)
    assert "interruptible work there makes room" in why_of(job)["sentence"]


def test_the_record_of_the_round_names_who_ended_and_replays_to_the_byte(pair, agent, now):
    lease = held(agent, pair[1], now)
    firm_job(now)

    round_ = MatchRound.objects.get(pk=run_round(segment="cpu", now=now, mode="batch").pk)

    seen = snapshot_of(round_)
    assert [each.id for each in seen.victims] == [lease.attempt.allocation.public_id]
    [made] = matching.match(seen).preempting
    assert made.victims == (lease.attempt.allocation.public_id,)
    assert made.lost == seen.victims[0].price * 4 * 1800 // 3600
    assert replay(round_)


def test_from_the_notice_to_the_firm_run_nothing_is_promised_or_run_twice(pair, agent, now):
    firm, loose = pair
    lease = held(agent, loose, now)
    job = firm_job(now)
    run_round(segment="cpu", now=now, mode="batch")
    start = Allocation.objects.get(job=job).start

    assert agent.claim(now=now + timedelta(seconds=60), holds=[lease.public_id]) == [], "its start has not come"
    assert agent.claim(now=start, holds=[lease.public_id]) == [], "the other still runs"
    report = agent.report(lease, "preempted", usage=[agent.usage(lease, 1)])
    victim = finish(public_id=lease.public_id, key=agent.key, report=report, now=start)

    [firm_lease] = agent.claim(now=start + timedelta(seconds=1))
    assert firm_lease.attempt.job == job
    assert victim.state == "queued"
    for day in CapacityDay.objects.filter(offer=loose):
        twin = CapacityDay.objects.get(offer=firm, day=day.day)
        assert day.units_total == [t - p for t, p in zip(twin.units_total, twin.units_promised, strict=True)]


def test_firm_work_that_a_clear_column_serves_ends_nobody(pair, agent, now):
    held(agent, pair[1], now, units=2)
    firm_job(now, units=2)

    round_ = run_round(segment="cpu", now=now, mode="batch")

    assert round_.placed == 1
    assert not Attempt.objects.filter(preempt_by__isnull=False).exists()


@pytest.mark.parametrize(("times", "left_alone"), [(1, False), (2, True)])
def test_who_made_room_twice_within_a_day_is_left_alone(pair, agent, now, times, left_alone):
    make_job(now=now, ask=asked(4, LONG_S, "interruptible"), units=4, time_limit_s=LONG_S)
    for _ in range(times):
        run_round(segment="cpu", now=now)
        [lease] = agent.claim(now=now)
        beat(agent, lease, now)
        tell(lease, now)
        end(agent, lease, now)
    run_round(segment="cpu", now=now)
    [lease] = agent.claim(now=now)
    beat(agent, lease, now)
    Attempt.objects.filter(pk=lease.attempt_id).update(started_at=now - HOUR)
    firm_job(now)

    round_ = run_round(segment="cpu", now=now, mode="batch")

    assert round_.placed == int(not left_alone)
    assert (Attempt.objects.get(pk=lease.attempt_id).preempt_by is None) is left_alone


def planned(now):
    """The plan of a batch round that is not committed yet, and its parts."""
    waiting = read_waiting(segment="cpu", turn=now, now=now, most=100_000)
    shelf, snapshot = _look("cpu", waiting, reference_of("cpu", now), "batch", now)
    return matching.match(snapshot), waiting.queue, shelf


def commit(plan, queue, shelf, now):
    return commit_plan(
        plan=plan, queue=queue, shelf=shelf, round_=make_round(now), explain=lambda: lambda _: {"sentence": "It fits."},
        prepare_round=lambda: lambda _: None, now=now,
    )  # fmt: skip


@pytest.mark.parametrize("meanwhile", ["ended", "cancelled", "hours gone"])
def test_a_preemption_that_does_not_hold_any_more_tells_nobody(pair, agent, now, meanwhile):
    firm, loose = pair
    lease = held(agent, loose, now, units=3)
    job = firm_job(now, units=4)
    plan, queue, shelf = planned(now)
    assert len(plan.preempting) == 1
    if meanwhile == "ended":
        report = agent.report(lease, usage=[agent.usage(lease, 1)])
        finish(public_id=lease.public_id, key=agent.key, report=report, now=now)
    elif meanwhile == "cancelled":
        cancel_job(job=job, now=now)
    else:
        allocated(firm, now=now, run_s=7200)

    outcome = commit(plan, queue, shelf, now)

    assert (outcome.placed, outcome.conflicts) == (0, 1)
    assert not Attempt.objects.filter(preempt_by__isnull=False).exists()
    assert not Allocation.objects.filter(job=job).exists()


def commit_in_process(prepare, plan, queue, shelf, now, database, meet, results):
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    prepare(meet)
    meet.wait(timeout=60)
    try:
        results.put(commit(plan, queue, shelf, now).placed)
    except IntegrityError as refused:
        results.put(str(refused))
    connections.close_all()


def race(prepare, pair, agent, now):
    """What two committers say whose firm work needs the same interruptible work to end."""
    held(agent, pair[1], now)
    jobs = [firm_job(now, buyer=make_organization(), units=3) for _ in range(2)]
    plan, queue, shelf = planned(now)
    [made] = plan.preempting
    plans = [replace(made, placement=replace(made.placement, ask=job.public_id)) for job in jobs]
    results, meet, database = FORK.Queue(), FORK.Barrier(2), connection.settings_dict["NAME"]
    connections.close_all()
    racers = [
        FORK.Process(
            target=commit_in_process,
            args=(prepare, Plan((), (), preempting=(each,)), queue, shelf, now, database, meet, results),
        )
        for each in plans
    ]
    for racer in racers:
        racer.start()
    said = [results.get(timeout=120) for _ in racers]
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    return said


def as_it_is(meet):
    pass


def without_a_lock(meet):
    """The control: both read who is to end before either tells it."""

    def found(allocations):
        rows = Attempt.objects.interruptible().filter(allocation__public_id__in=list(allocations)).with_terms()
        answer = {each.allocation.public_id: each for each in rows}
        meet.wait(timeout=60)
        return answer

    makingroom.lock_open = found


@pytest.mark.django_db(transaction=True)
def test_two_firm_sales_that_need_the_same_work_to_end_race_and_one_gets_it(pair, agent, now):
    assert sorted(race(as_it_is, pair, agent, now)) == [0, 1]

    firm, loose = pair
    assert (units_at(firm, now + HOUR), units_at(loose, now + HOUR)) == ((4, 3), (1, 0))
    assert Attempt.objects.filter(preempt_by__isnull=False).count() == 1
    assert Allocation.objects.filter(offer=firm, live=True).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_control_without_a_lock_tells_the_same_work_twice(pair, agent, now):
    assert any("event" in str(each) for each in race(without_a_lock, pair, agent, now))
