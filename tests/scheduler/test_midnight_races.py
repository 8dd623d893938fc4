"""Processes that charge running work up to midnight at once, and beside its end: each second is charged once."""

from datetime import timedelta

import pytest

from marketplace.booking.models import ChargeLine, Settlement
from marketplace.ledger.models import Hold, Journal
from scheduler.attempts import end_attempt
from scheduler.midnight import capture_running
from scheduler.models import Attempt
from tests.market import make_organization
from tests.racing import race
from tests.scheduler.nightly import Run, broken_promises, last_midnight, make_shelf

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES = 6
TEN = timedelta(minutes=10)


@pytest.fixture
def run(settings):
    """Four units at work since 22:00, with a signed line from after midnight."""
    run = Run(make_shelf(settings), make_organization(funds=5_000), began=last_midnight() - timedelta(hours=2))
    run.tell(7_210)
    return run


def capture():
    return capture_running(now=last_midnight() + TEN)


def test_workers_that_capture_at_once_charge_once(run):
    returned = race([capture] * PROCESSES)

    assert sorted(returned) == [0] * (PROCESSES - 1) + [1]
    assert run.charges == [1_592]
    assert Journal.objects.filter(kind="capture").count() == 1


def test_a_capture_beside_the_last_word_leaves_the_bill_as_it_is(run):
    race([*([capture] * (PROCESSES - 1)), lambda: run.end(8_263).state])

    assert sum(run.charges) == 1_827
    assert (run.wallet, Settlement.objects.get().charged_minor) == ((5_000 - 1_827, 0), 1_827)
    assert not Hold.objects.open().exists()
    assert broken_promises() == []


def test_a_capture_beside_a_lost_lease_charges_up_to_midnight_or_nothing(run):
    def lose():
        attempt = Attempt.objects.with_terms().select_related("allocation__reservation").get(pk=run.lease.attempt_id)
        return end_attempt(attempt=attempt, reason="lease_lost", now=run.at(8_000)).state

    race([*([capture] * (PROCESSES - 1)), lose])

    assert run.charges in ([], [1_592])
    assert ChargeLine.objects.count() <= 1
    assert Hold.objects.open().get().rest == 2_388, "the next try is held for"
    assert broken_promises() == []
