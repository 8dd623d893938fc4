"""Processes that place, end and cancel work inside one reservation at once: its units are never given twice."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from marketplace.booking.changing import extend, resize
from marketplace.booking.errors import CapacityTaken, ReservationFull, WorkInside
from marketplace.booking.models import Reservation, ReservationDay, ServiceCredit
from marketplace.booking.reserved import take_inside
from marketplace.booking.services import hold_units
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.ledger.wallets import wallet_of
from scheduler.inside import cancel_reservation, follow_reservations, give_up_reservation, place_inside
from scheduler.models import Allocation, Job
from scheduler.services import cancel_job
from tests.invariants.scene import findings
from tests.market import make_organization
from tests.racing import FORK, race
from tests.scheduler.reserved import inside, promised, reserve, submit_inside
from tests.scheduler.scene import make_cpu_offer

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES, ROUNDS, UNITS = 8, 12, 5
ALL_HAVE_READ = FORK.Barrier(PROCESSES)


def race_inside(reservation, *ways):
    """Run a process for each of `ways`, with the reservation as it was before any began; what they got in all."""
    read = Reservation.objects.with_terms()
    return sum(race([partial(way, read.get(pk=reservation.pk), number) for number, way in enumerate(ways)]))


def guarded(reservation, _number):
    """Nothing but the guarded write, without the lock of the reservation."""
    got = 0
    for _ in range(ROUNDS):
        try:
            take_inside(reservation=reservation, start=reservation.start, end=reservation.end, units=1)
            got += 1
        except ReservationFull:
            continue
    return got


def read_then_write(reservation, _number):
    """The control: read, test in Python, write what was read plus one."""
    hour, got = reservation.start.hour, 0
    for number in range(ROUNDS):
        row = ReservationDay.objects.get(reservation=reservation, day=reservation.start.date())
        if number == 0:
            ALL_HAVE_READ.wait(timeout=60)
        if row.units_promised[hour] < UNITS:
            row.units_promised[hour] += 1
            row.save(update_fields=["units_promised"])
            got += 1
    return got


def submit(reservation, number):
    now = timezone.now()
    jobs = [submit_inside(reservation, now=now, name=f"{number} {each}", run_s=3600) for each in range(ROUNDS)]
    return sum(job.state == "allocated" for job in jobs)


def submit_until_it_is_gone(reservation, number):
    try:
        return submit(reservation, number)
    except ValidationFailed as refusal:
        assert [each.pointer for each in refusal.problems] == ["/config/joulemart/reservation"]
        return 0


def end_and_place(reservation, _number):
    """Cancel whatever is there, and let the next in."""
    for _ in range(ROUNDS):
        now = timezone.now()
        for job in Job.objects.filter(reservation=reservation, state="allocated")[:3]:
            try:
                cancel_job(job=job, now=now)
            except IllegalState:
                continue  # another was first
        place_inside(reservation=reservation.public_id, now=now)
    return 0


def ended(act, reservation):
    """1 where `act` ended the reservation, 0 where another was first."""
    for _ in range(200):
        try:
            act(reservation=reservation, now=timezone.now())
        except WorkInside:
            continue  # somebody has a job of it locked
        except IllegalState:
            return 0
        return 1
    raise AssertionError("the reservation was never ended")


def cancel(reservation, _number):
    return ended(cancel_reservation, reservation)


def give_up(reservation, _number):
    return ended(partial(give_up_reservation, reason="hardware_failed"), reservation)


def extend_by_an_hour(reservation, _number):
    try:
        extend(reservation=reservation, hours=1, now=timezone.now())
    except CapacityTaken:
        return 0
    return 1


def buy_the_hour_after(reservation, _number):
    start, buyer = reservation.end, reservation.buyer
    try:
        hold_units(buyer=buyer, offer=reservation.offer, units=4, start=start, end=start + HOUR, now=timezone.now())
    except CapacityTaken:
        return 0
    return 1


def make_it_smaller_and_larger(reservation, _number):
    changed = 0
    for number in range(ROUNDS):
        try:
            resize(reservation=reservation, units=(1, 4, 2, 6)[number % 4], now=timezone.now())
            changed += 1
        except (WorkInside, CapacityTaken, ValidationFailed):
            continue
    return changed


@pytest.fixture
def ahead():
    """Five units for one of the coming hours."""
    now = timezone.now()
    start = hour_floor(now) + 2 * HOUR
    return reserve(make_cpu_offer(now=now, units=8), make_organization(), units=UNITS, start=start, hours=1, now=now)


def wallet(reservation):
    mine = wallet_of(organization=reservation.buyer, asset="USD", livemode=False)
    return mine.available, mine.held


def given(reservation):
    live = Allocation.objects.live().filter(reservation=reservation)
    return sum(live.values_list("units", flat=True))


def test_eight_processes_never_give_more_than_is_reserved(ahead):
    assert race_inside(ahead, *[guarded] * PROCESSES) == UNITS
    assert inside(ahead, ahead.start) == (UNITS, UNITS)


def test_the_control_without_the_guard_gives_too_much(ahead):
    """If this ever stops giving too much, the races here prove nothing."""
    assert race_inside(ahead, *[read_then_write] * PROCESSES) > UNITS


def test_eight_processes_that_submit_fill_the_reservation_and_no_more(ahead):
    race_inside(ahead, *[submit] * PROCESSES)

    assert given(ahead) == UNITS
    assert inside(ahead, ahead.start) == (UNITS, UNITS)
    assert Job.objects.filter(state="queued").count() == PROCESSES * ROUNDS - UNITS
    assert findings("--only", "C2,C6,J1,J4,J10")[0] == 0


def test_ends_and_new_jobs_at_once_leave_exactly_what_is_live(ahead):
    race_inside(ahead, *[submit, end_and_place] * (PROCESSES // 2))
    follow_reservations(now=timezone.now() + timedelta(seconds=1))

    assert given(ahead) == inside(ahead, ahead.start)[1] <= UNITS
    assert findings("--only", "C2,C6,J1,J3")[0] == 0


def test_a_reservation_cancelled_under_submissions_keeps_no_job_and_no_hour(ahead):
    race_inside(ahead, *[submit_until_it_is_gone] * (PROCESSES - 1), cancel)
    follow_reservations(now=timezone.now() + timedelta(seconds=1))

    assert Reservation.objects.get(pk=ahead.pk).state == "cancelled"
    assert set(Job.objects.values_list("state", flat=True)) <= {"cancelled"}
    assert (given(ahead), inside(ahead, ahead.start), promised(ahead.offer, ahead.start)) == (0, (0, 0), 0)
    assert findings("--only", "C2,C6,J1,J3")[0] == 0


def test_a_provider_that_gives_up_and_a_buyer_that_cancels_at_once_end_it_once(ahead):
    whole = sum(wallet(ahead))

    got = race_inside(ahead, *[give_up, cancel] * (PROCESSES // 2))

    state, credits_ = Reservation.objects.get(pk=ahead.pk).state, ServiceCredit.objects.all()
    assert (got, state in ("cancelled", "failed")) == (1, True)
    assert credits_.count() == (1 if state == "failed" else 0)
    assert wallet(ahead) == (whole + sum(each.amount_minor for each in credits_), 0)
    assert (inside(ahead, ahead.start), promised(ahead.offer, ahead.start)) == ((0, 0), 0)
    assert findings("--only", "C1,C2,C6,E1,M1,M2,M4,M5,M6,M7")[0] == 0


def test_a_reservation_given_up_under_submissions_keeps_no_job_and_no_hour(ahead):
    race_inside(ahead, *[submit_until_it_is_gone] * (PROCESSES - 2), give_up, end_and_place)
    follow_reservations(now=timezone.now() + timedelta(seconds=1))

    assert Reservation.objects.get(pk=ahead.pk).state == "failed"
    assert set(Job.objects.values_list("state", flat=True)) <= {"cancelled"}
    assert (given(ahead), inside(ahead, ahead.start), promised(ahead.offer, ahead.start)) == (0, (0, 0), 0)
    assert ServiceCredit.objects.count() == 1
    assert findings("--only", "C2,C6,J1,J3,M1,M2,M4")[0] == 0


def test_an_extension_and_other_buyers_never_get_the_same_hour(ahead):
    end = ahead.end

    got = race_inside(ahead, extend_by_an_hour, *[buy_the_hour_after] * (PROCESSES - 1))

    longer = Reservation.objects.get(pk=ahead.pk).end > end
    assert got == (1 if longer else 2), "eight units: five for the reservation, or four for each of two others"
    assert promised(ahead.offer, end) == (UNITS if longer else 8)
    assert findings("--only", "C1,C2,C6")[0] == 0


def test_a_reservation_that_is_extended_twice_at_once_is_two_hours_longer(ahead):
    end = ahead.end

    assert race_inside(ahead, *[extend_by_an_hour] * 2, *[guarded] * (PROCESSES - 2)) == 2 + UNITS

    again = Reservation.objects.get(pk=ahead.pk)
    assert (again.end, again.version) == (end + 2 * HOUR, ahead.version + 2)
    assert findings("--only", "C2,E1")[0] == 0


def test_units_are_never_taken_from_under_jobs_that_come_meanwhile(ahead):
    race_inside(ahead, *[submit, make_it_smaller_and_larger, end_and_place, make_it_smaller_and_larger] * 2)
    follow_reservations(now=timezone.now() + timedelta(seconds=1))

    held, used = inside(ahead, ahead.start)
    assert given(ahead) == used <= held == Reservation.objects.get(pk=ahead.pk).units
    assert promised(ahead.offer, ahead.start) == held
    assert findings("--only", "C1,C2,C6,E1,J1")[0] == 0
