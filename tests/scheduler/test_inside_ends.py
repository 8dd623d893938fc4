"""How reservations and the work inside them end: together, at their hour, and never one under the other."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.booking.errors import WorkInside
from marketplace.booking.models import Reservation
from marketplace.booking.services import advance_reservations, cancel
from marketplace.common.clock import hour_floor
from scheduler.inside import cancel_reservation, follow_reservations
from scheduler.jobview import job_as_json
from scheduler.leaseview import lease_as_json
from scheduler.models import Allocation, Job
from tests.market import MONDAY, NOON, at, make_organization
from tests.scheduler.reserved import attempt_of, days_of, end, inside, promised, reserve, submit_inside
from tests.scheduler.scene import TestAgent, make_cpu_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    return make_cpu_offer(units=4)


@pytest.fixture
def buyer():
    return make_organization("Lab")


def test_an_unconfirmed_reservation_lets_jobs_wait_and_takes_them_along_when_it_lapses(offer, buyer):
    held = reserve(offer, buyer, start=at(MONDAY, 13), now=NOON, firm=False)
    job = submit_inside(held, now=NOON)
    assert (job.state, job.unplaced["code"]) == ("queued", "not_confirmed")
    told = job_as_json(Job.objects.with_story().get(pk=job.pk), NOON)
    assert told["sentence"] == "It waits until its reservation is confirmed."

    advance_reservations(now=NOON + timedelta(minutes=10))
    follow_reservations(now=NOON + timedelta(minutes=10))

    job.refresh_from_db()
    assert (job.state, job.reason) == ("expired", "reservation_over")
    assert promised(offer, at(MONDAY, 13)) == 0


def test_cancelling_a_reservation_cancels_what_waits_inside_and_returns_all_hours(offer, buyer):
    ahead = reserve(offer, buyer, start=at(MONDAY, 20), hours=2, now=NOON)
    placed, waiting = (submit_inside(ahead, now=NOON, units=2) for _ in range(2))
    assert (placed.state, waiting.state) == ("allocated", "queued")

    cancel_reservation(reservation=ahead, now=NOON)

    for job, reason in ((placed, "cancelled"), (waiting, "reservation_over")):
        job.refresh_from_db()
        assert (job.state, job.reason) == ("cancelled", reason)
    assert (promised(offer, at(MONDAY, 20)), inside(ahead, at(MONDAY, 20))) == (0, (0, 0))
    assert not Allocation.objects.live().exists()


def test_a_reservation_with_work_inside_is_never_cancelled_under_it(offer, buyer):
    """The bookkeeping alone cannot do it, and what has begun is left to run."""
    late = reserve(offer, buyer, start=NOON + timedelta(seconds=1), hours=2, now=NOON)
    job = submit_inside(late, now=NOON)
    before = days_of(offer)

    with pytest.raises(WorkInside):
        cancel(reservation=late, now=NOON)
    TestAgent(offer, now=NOON).claim(now=NOON + timedelta(seconds=2))
    with pytest.raises(WorkInside):
        cancel_reservation(reservation=late, now=NOON + timedelta(seconds=2))

    job.refresh_from_db()
    assert (job.state, Reservation.objects.get(pk=late.pk).state) == ("starting", "confirmed")
    assert (days_of(offer), inside(late, NOON)) == (before, (2, 1))


def test_a_reservation_that_ends_within_an_hour_gives_the_rest_of_it_back(offer, buyer):
    held = reserve(offer, buyer, start=at(MONDAY, 12, 20), hours=1, now=NOON)
    advance_reservations(now=at(MONDAY, 12, 20))

    advance_reservations(now=at(MONDAY, 13, 20))

    held.refresh_from_db()
    assert (held.state, promised(offer, at(MONDAY, 13)), inside(held, at(MONDAY, 13))) == ("completed", 0, (0, 0))


def test_its_last_hour_stays_its_own_until_the_work_inside_has_ended(offer, buyer):
    held = reserve(offer, buyer, start=at(MONDAY, 12, 20), hours=1, now=NOON)
    advance_reservations(now=at(MONDAY, 12, 20))
    job = submit_inside(held, now=at(MONDAY, 13, 10))

    advance_reservations(now=at(MONDAY, 13, 20))
    held.refresh_from_db()
    assert (held.state, promised(offer, at(MONDAY, 13))) == ("active", 2)
    end(job, at(MONDAY, 13, 21), "cancelled")
    advance_reservations(now=at(MONDAY, 13, 21))

    held.refresh_from_db()
    assert (held.state, promised(offer, at(MONDAY, 13))) == ("completed", 0)


def test_a_job_stops_when_its_reservation_ends(offer, buyer):
    now = timezone.now()
    offer = make_cpu_offer(units=4, now=now)
    held = reserve(offer, buyer, start=hour_floor(now), hours=2, now=now)
    job = submit_inside(held, now=now, run_s=3600)

    [lease] = TestAgent(offer, now=now).claim(now=now)

    limit = lease_as_json(lease, now)["limits"]["time_limit_s"]
    assert limit == 3600
    assert now + timedelta(seconds=limit) <= held.end
    assert attempt_of(job).allocation.end <= held.end


def test_one_that_starts_late_stops_with_its_reservation_all_the_same(offer, buyer):
    held = reserve(offer, buyer, start=at(MONDAY, 12, 20), hours=1, now=NOON)
    submit_inside(held, now=at(MONDAY, 13, 10))

    [lease] = TestAgent(offer, now=NOON).claim(now=at(MONDAY, 13, 11))

    limit = lease_as_json(lease, at(MONDAY, 13, 11))["limits"]["time_limit_s"]
    assert limit == 9 * 60 - 5, "with the seconds that a stop takes"
