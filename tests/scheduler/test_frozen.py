"""A disputed card payment: its buyer's promises are taken back, others go on."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.booking.models import Reservation
from marketplace.booking.services import confirm, hold_units
from marketplace.common.clock import HOUR, hour_floor
from marketplace.ledger.errors import WalletFrozen
from scheduler.cycle import run_round
from scheduler.frozen import stop_disputed
from scheduler.jobfile import parse
from scheduler.models import Job
from scheduler.services import Actor, submit_job
from tests.ledger.cashier import Cashier
from tests.market import make_organization
from tests.scheduler.scene import TestAgent, make_cpu_offer

pytestmark = pytest.mark.django_db
FILE = "name: hello\nrun: echo hello\nconfig:\n  joulemart:\n    time_limit_s: 600\n"


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


@pytest.fixture
def offer():
    offer = make_cpu_offer(now=timezone.now(), units=4)
    offer.rate_mm = [400_000] * 168
    offer.save(update_fields=["rate_mm"])
    return offer


def submit(buyer):
    return submit_job(actor=Actor(organization=buyer), file=parse(FILE), now=timezone.now())


def test_what_has_not_begun_is_taken_back_and_what_runs_is_told_to_stop(cashier, offer):
    payment = cashier.topped_up(10_000)
    agent = TestAgent(offer, now=timezone.now())
    running, other = submit(cashier.buyer), submit(make_organization())
    run_round(segment="cpu", now=timezone.now())
    agent.claim(now=timezone.now())
    waiting = submit(cashier.buyer)
    start = hour_floor(timezone.now()) + 3 * HOUR
    row = hold_units(buyer=cashier.buyer, offer=offer, units=1, start=start, end=start + 2 * HOUR, now=timezone.now())
    confirm(reservation=row, now=timezone.now())
    cashier.dispute(payment)
    cashier.hear()

    assert stop_disputed(now=timezone.now()) == 3

    states = {job.pk: (job.state, job.cancel_requested_at is not None) for job in Job.objects.all()}
    assert states == {
        running.pk: ("starting", True), waiting.pk: ("cancelled", True), other.pk: ("starting", False),
    }  # fmt: skip
    assert Reservation.objects.get().state == "cancelled"
    assert stop_disputed(now=timezone.now()) == 0
    with pytest.raises(WalletFrozen):
        submit(cashier.buyer)


def test_after_a_dispute_is_won_work_begins_again(cashier, offer):
    dispute = cashier.dispute(cashier.topped_up(10_000))
    cashier.hear()
    cashier.decide(dispute, won=True)
    cashier.hear()

    assert submit(cashier.buyer).state == "queued"
    assert stop_disputed(now=timezone.now() + timedelta(minutes=1)) == 0
