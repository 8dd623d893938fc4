"""Budgets raised at once, and beside captures and ends: what is held is always what the job may still cost."""

from datetime import timedelta

import pytest

from marketplace.booking.models import Settlement
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.ledger.budgets import set_budget
from marketplace.ledger.errors import BudgetExceeded
from marketplace.ledger.models import BudgetPeriod, Hold
from scheduler.attempts import end_attempt
from scheduler.midnight import capture_running
from scheduler.models import Attempt, Job
from scheduler.raising import raise_budget
from tests.market import make_organization
from tests.racing import race
from tests.scheduler.nightly import FILE, Run, broken_promises, last_midnight, make_shelf

pytestmark = pytest.mark.django_db(transaction=True)
TEN = timedelta(minutes=10)


@pytest.fixture
def run(settings):
    """Four units at work since 22:00 for 20.00, which pay for 9,045 seconds; signed for beyond midnight."""
    text = FILE + "    max_total: 2000\n    budget_stop: true\n"
    run = Run(
        make_shelf(settings), make_organization(funds=5_000), began=last_midnight() - timedelta(hours=2), text=text
    )
    run.tell(7_210)
    return run


def raising(run, budget):
    def act():
        try:
            return raise_budget(job=Job.objects.get(pk=run.job.pk), budget_minor=budget, now=run.at(8_000)).state
        except (ValidationFailed, IllegalState, BudgetExceeded) as error:
            return type(error).__name__

    return act


def held():
    return Hold.objects.open().get().rest


def test_of_many_budgets_the_largest_is_held_once(run):
    race([raising(run, 2_000 + 50 * n) for n in range(1, 7)])

    assert (Job.objects.get().ceiling_minor, held(), run.wallet) == (2_300, 2_300, (2_700, 2_300))
    assert run.attempt.budget_s == 2_300 * 10_800 // 2_388
    assert broken_promises() == []


def test_a_cap_is_never_passed_however_many_ask(run):
    set_budget(organization=run.buyer, api_key=None, asset="USD", livemode=False, limit_minor=2_200, now=run.began)

    race([raising(run, 2_100 + 50 * n) for n in range(6)])

    assert (Job.objects.get().ceiling_minor, held()) == (2_200, 2_200)
    assert BudgetPeriod.objects.get().held == 2_200
    assert broken_promises() == []


def test_a_capture_at_midnight_beside_it_is_part_of_the_budget(run):
    def capture():
        return capture_running(now=last_midnight() + TEN)

    race([raising(run, 2_300), capture, capture, raising(run, 2_250)])

    assert (run.charges, held(), run.wallet) == ([1_592], 2_300 - 1_592, (2_700, 2_300 - 1_592))
    assert run.attempt.budget_s == 2_300 * 10_800 // 2_388
    assert broken_promises() == []


def test_an_end_beside_it_leaves_nothing_held_and_charges_the_use(run):
    race([*(raising(run, 2_000 + 50 * n) for n in range(1, 6)), lambda: run.end(8_263).state])

    assert (sum(run.charges), run.wallet) == (1_827, (5_000 - 1_827, 0))
    assert Settlement.objects.get().charged_minor == 1_827
    assert not Hold.objects.open().exists()
    assert broken_promises() == []


def test_a_lost_lease_beside_it_holds_what_the_job_may_cost_for_the_next_try(run):
    def lose():
        attempt = Attempt.objects.with_terms().select_related("allocation__reservation").get(pk=run.lease.attempt_id)
        return end_attempt(attempt=attempt, reason="lease_lost", now=run.at(8_000)).state

    race([*(raising(run, 2_000 + 50 * n) for n in range(1, 6)), lose])

    assert held() == Job.objects.get().ceiling_minor
    assert broken_promises() == []
