"""Jobs inside a reservation: only on its units, in its hours, first come, first served, and never in the market."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from marketplace.booking.errors import ReservationFull
from marketplace.booking.reserved import take_inside
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.errors import ValidationFailed
from marketplace.events.models import Event
from scheduler.cycle import run_round
from scheduler.finishing import finish
from scheduler.inside import follow_reservations, place_inside
from scheduler.jobview import job_as_json
from scheduler.models import Allocation, Job, MatchRound, QueueEntry, SegmentUse
from scheduler.preempting import lock_open
from scheduler.services import Actor, cancel_job, relax_job, retry_job
from scheduler.whyview import why_of
from tests.market import MONDAY, NOON, at, make_organization
from tests.scheduler.machines import make_pair
from tests.scheduler.reserved import attempt_of, begin, days_of, end, inside, reserve, submit_inside
from tests.scheduler.scene import TestAgent, make_cpu_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    return make_cpu_offer(units=4)


@pytest.fixture
def buyer():
    return make_organization("Lab")


@pytest.fixture
def running(offer, buyer):
    """Two units from 12:00 to 16:00, which has begun."""
    return reserve(offer, buyer, units=2, start=NOON, hours=4, now=NOON)


def test_a_job_starts_at_once_on_reserved_units_and_takes_none_of_the_shelf(offer, running):
    before = days_of(offer)

    job = submit_inside(running, now=NOON)

    allocation = attempt_of(job).allocation
    assert (job.state, job.reservation) == ("allocated", running)
    assert (allocation.offer, allocation.contract, allocation.reservation) == (offer, running.contract, running)
    assert (allocation.start, allocation.end, allocation.units) == (NOON, NOON + timedelta(seconds=600), 1)
    assert (inside(running, NOON), days_of(offer)) == ((2, 1), before)
    assert list(Event.objects.of_object(job.public_id).values_list("state", flat=True)) == ["queued", "allocated"]
    assert Event.objects.of_object(job.public_id).get(state="allocated").provider == offer.site.provider


def test_it_waits_for_a_start_that_lies_ahead(offer, buyer):
    ahead = reserve(offer, buyer, start=at(MONDAY, 20), hours=2, now=NOON)

    job = submit_inside(ahead, now=NOON)

    assert (job.state, attempt_of(job).allocation.start) == ("allocated", at(MONDAY, 20))
    agent = TestAgent(offer, now=NOON)
    assert agent.claim(now=at(MONDAY, 19, 59)) == []
    [lease] = agent.claim(now=at(MONDAY, 20))
    assert lease.attempt.job == job


def test_jobs_share_a_reservation_up_to_its_units_and_the_next_waits_its_turn(running):
    first, second = (submit_inside(running, now=NOON, name=name) for name in ("one", "two"))

    third = submit_inside(running, now=NOON, name="three")
    assert (first.state, second.state, third.state) == ("allocated", "allocated", "queued")
    assert inside(running, NOON) == (2, 2)
    assert third.unplaced["code"] == "no_capacity"
    told = job_as_json(Job.objects.with_story().get(pk=third.pk), NOON)
    assert told["sentence"] == "The units of its reservation are in use; it starts as soon as enough are free."
    assert told["queue"]["position"] == 1

    end(first, NOON + timedelta(seconds=30), "cancelled")
    assert place_inside(reservation=running.public_id, now=NOON + timedelta(seconds=30)) == 1

    third.refresh_from_db()
    assert (third.state, third.unplaced) == ("allocated", None)
    assert attempt_of(third).allocation.start == NOON + timedelta(seconds=30)


def test_short_jobs_follow_each_other_within_one_hour(running):
    for minute in range(3):
        job = submit_inside(running, units=2, now=at(MONDAY, 12, minute))
        assert job.state == "allocated"
        end(job, at(MONDAY, 12, minute) + timedelta(seconds=50), "cancelled")

    assert inside(running, NOON) == (2, 0)


def test_a_large_job_is_not_overtaken_by_those_behind_it(running):
    small = submit_inside(running, now=NOON, name="small")
    large = submit_inside(running, now=NOON + timedelta(seconds=1), name="large", units=2)
    late = submit_inside(running, now=NOON + timedelta(seconds=2), name="late")
    assert (large.state, late.state) == ("queued", "queued"), "a unit is free, but the large job keeps it"

    end(small, NOON + timedelta(seconds=60), "cancelled")
    place_inside(reservation=running.public_id, now=NOON + timedelta(seconds=60))

    large.refresh_from_db()
    late.refresh_from_db()
    assert (large.state, late.state) == ("allocated", "queued")


def test_one_whose_hours_lie_apart_does_not_wait_for_who_is_ahead(running):
    submit_inside(running, now=NOON)
    submit_inside(running, now=NOON, units=2)

    apart = submit_inside(running, now=NOON, more='    start_after: "2026-11-23T15:00:00Z"\n')

    assert (apart.state, attempt_of(apart).allocation.start) == ("allocated", at(MONDAY, 15))


def test_no_round_ever_sees_a_job_inside(offer, running):
    submit_inside(running, now=NOON, units=2)
    waiting = submit_inside(running, now=NOON)

    round_ = run_round(segment="cpu", now=NOON)

    waiting.refresh_from_db()
    assert (round_, waiting.state) == (None, "queued")
    assert not QueueEntry.objects.exists()
    assert not MatchRound.objects.exists()
    assert not SegmentUse.objects.filter(work__gt=0).exists(), "hours that were bought are no fair share's"


def test_the_database_itself_keeps_units_hours_and_offer_of_a_reservation(offer, buyer, running):
    job = submit_inside(running, now=NOON)
    other = reserve(make_cpu_offer(), buyer, start=NOON, now=NOON)
    live = attempt_of(job).allocation
    before = inside(running, NOON)

    with pytest.raises(ReservationFull), transaction.atomic():
        take_inside(reservation=running, start=NOON, end=NOON + HOUR, units=2)
    with pytest.raises(ReservationFull), transaction.atomic():
        take_inside(reservation=running, start=at(MONDAY, 15), end=at(MONDAY, 17), units=1)
    with pytest.raises(IntegrityError, match="reservation_never_overfilled"), transaction.atomic():
        running.days.update(units_promised=[3] * 24)
    values = {"job": job, "units": 1, "why": {}, "created_at": NOON, "live": False, "released_at": NOON}
    for wrong in (
        {"offer": offer, "contract": running.contract, "reservation": other, "start": NOON, "end": NOON + HOUR},
        {"offer": other.offer, "contract": running.contract, "reservation": running, "start": NOON, "end": NOON + HOUR},
        {"offer": offer, "contract": other.contract, "reservation": running, "start": NOON, "end": NOON + HOUR},
        {"offer": offer, "contract": running.contract, "reservation": running, "start": NOON, "end": NOON + 5 * HOUR},
    ):
        with pytest.raises(IntegrityError, match="is not inside the reservation"), transaction.atomic():
            Allocation.objects.create(**values, **wrong)
    with pytest.raises(IntegrityError, match="allocation_by_round_or_inside"), transaction.atomic():
        Allocation.objects.create(**values, offer=offer, contract=running.contract, start=NOON, end=NOON + HOUR)

    assert (inside(running, NOON), Allocation.objects.get(), job.attempts.count()) == (before, live, 1)


def test_its_use_counts_against_the_contract_of_the_reservation(offer, buyer):
    now = timezone.now()
    offer = make_cpu_offer(units=4, now=now)
    held = reserve(offer, buyer, start=hour_floor(now), hours=2, now=now)
    agent = TestAgent(offer, now=now)
    job = submit_inside(held, now=now)
    [lease] = agent.claim(now=now)
    shelf = days_of(offer)

    later = now + timedelta(seconds=30)
    report = agent.report(lease, usage=[agent.usage(lease, 20_000)])
    finish(public_id=lease.public_id, key=agent.key, report=report, now=later)

    used = held.contract.usage_records.all()
    assert sum(each.milliseconds * each.units for each in used) == 20_000
    assert Job.objects.get(pk=job.pk).state == "succeeded"
    assert days_of(offer) == shelf
    assert inside(held, hour_floor(later))[1] == 0, "what it had goes back to the reservation"


def test_the_cost_of_a_job_is_its_part_of_what_was_reserved(running):
    job = submit_inside(running, now=NOON, run_s=7200)

    told = job_as_json(Job.objects.with_story().get(pk=job.pk), NOON)

    total = running.contract.total_minor
    assert told["cost"]["ceiling_minor"] == total * 7200 // (2 * 4 * 3600)
    assert told["allocation"]["total_minor"] == told["cost"]["ceiling_minor"]
    assert told["reservation"] == running.public_id


def test_the_whole_reservation_in_use_costs_exactly_what_it_costs(running):
    job = submit_inside(running, now=NOON, units=2, run_s=4 * 3600)

    told = job_as_json(Job.objects.with_story().get(pk=job.pk), NOON)

    assert told["cost"]["ceiling_minor"] == running.contract.total_minor


def test_why_says_that_it_runs_in_the_reservation(running):
    job = submit_inside(running, now=NOON, units=2)
    waiting = submit_inside(running, now=NOON)

    told, kept = (why_of(Job.objects.with_story().get(pk=each.pk)) for each in (job, waiting))

    assert told["sentence"] == f"It runs inside reservation {running.public_id}."
    assert (told["reservation"], told["chosen"], told["round"]) == (running.public_id, None, None)
    assert kept["sentence"] == f"It waits for units of reservation {running.public_id}."


def test_a_lost_lease_is_tried_again_on_the_same_units(running):
    job = submit_inside(running, now=NOON)
    begin(job, NOON)

    end(job, NOON + timedelta(minutes=5), "lease_lost")
    job.refresh_from_db()
    assert (job.state, job.excluded_sites) == ("queued", []), "there is no other site to go to"
    assert place_inside(reservation=running.public_id, now=NOON + timedelta(minutes=5)) == 0, "one lease of grace"
    assert place_inside(reservation=running.public_id, now=NOON + timedelta(minutes=6)) == 1

    job.refresh_from_db()
    assert (job.state, attempt_of(job).number, inside(running, NOON)) == ("allocated", 2, (2, 1))


def test_what_is_left_may_be_too_short_for_another_try(running):
    job = submit_inside(running, now=NOON, run_s=3 * 3600)
    begin(job, NOON)
    end(job, at(MONDAY, 13, 30), "node_failed")

    follow_reservations(now=at(MONDAY, 13, 31))

    job.refresh_from_db()
    assert (job.state, job.reason) == ("expired", "reservation_over")
    told = job_as_json(Job.objects.with_story().get(pk=job.pk), NOON)
    assert told["sentence"] == "Its reservation left it no time to run."


def test_a_window_of_its_own_passes_too(running):
    submit_inside(running, now=NOON, units=2, run_s=3 * 3600)
    waiting = submit_inside(running, now=NOON, more='    finish_by: "2026-11-23T12:30:00Z"\n')

    follow_reservations(now=at(MONDAY, 12, 21))

    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("expired", "")


@pytest.mark.parametrize(("second", "state"), [(0, "queued"), (1, "expired")])
def test_it_passes_two_minutes_before_the_last_start_as_in_the_market(running, second, state):
    submit_inside(running, now=NOON, units=2, run_s=3 * 3600)
    waiting = submit_inside(running, now=NOON, more='    finish_by: "2026-11-23T12:30:00Z"\n')

    follow_reservations(now=at(MONDAY, 12, 18) + timedelta(seconds=second))

    waiting.refresh_from_db()
    assert waiting.state == state


def test_cancelling_a_waiting_or_allocated_job_gives_its_units_to_the_next(running):
    first, second = (submit_inside(running, now=NOON, units=2, name=name) for name in ("a", "b"))

    cancel_job(job=first, now=NOON)
    assert inside(running, NOON) == (2, 0)
    follow_reservations(now=NOON)

    second.refresh_from_db()
    assert (second.state, inside(running, NOON)) == ("allocated", (2, 2))
    cancel_job(job=submit_inside(running, now=NOON), now=NOON)
    assert inside(running, NOON) == (2, 2)


def test_work_inside_is_nobodys_to_end_even_on_interruptible_machines(buyer):
    _, loose = make_pair(now=NOON)
    held = reserve(loose, buyer, start=NOON, now=NOON)

    job = submit_inside(held, now=NOON, more="    tier: interruptible\n")

    assert lock_open([attempt_of(job).allocation.public_id]) == {}


def test_a_waiting_job_inside_may_have_other_units_but_no_limits_of_the_market(running):
    submit_inside(running, now=NOON)
    job = submit_inside(running, now=NOON, units=2)

    for wrong in ({"price__lte": 5}, {"units": 3}, {"start_after": "2026-11-23T15:51:00Z"}):
        with pytest.raises(ValidationFailed, match=f"/limits/{next(iter(wrong))}: the reservation"):
            relax_job(job=job, limits=wrong, now=NOON)
    relax_job(job=job, limits={"units": 1}, now=NOON)
    place_inside(reservation=running.public_id, now=NOON)

    job.refresh_from_db()
    assert (job.state, job.units, attempt_of(job).allocation.units) == ("allocated", 1, 1)


def test_a_retry_runs_in_the_same_reservation(running):
    job = submit_inside(running, now=NOON)
    cancel_job(job=job, now=NOON)
    job.refresh_from_db()

    again = retry_job(job=job, actor=Actor(organization=running.buyer), now=NOON)

    assert (again.reservation, again.state) == (running, "allocated")
