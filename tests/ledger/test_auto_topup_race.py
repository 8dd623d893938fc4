"""Workers that find the same low wallet at once charge its card once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from marketplace.ledger import autotopups
from marketplace.ledger.models import AutoTopup, Payment
from tests.ledger.cashier import MONEY, Cashier

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 4


def at_once(act):
    """What each of several threads came to that begin together."""
    gate = Barrier(WORKERS)

    def run(_):
        try:
            gate.wait()
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, range(WORKERS)))


@pytest.fixture
def low():
    cashier = Cashier(timezone.now())
    cashier.topped_up(1_000, save=True)
    return autotopups.switch_on(
        organization=cashier.buyer, threshold=2_000, amount=500, daily_cap=1_200, now=cashier.now, **MONEY
    )


def test_one_charge_is_started_however_many_look(low):
    started = at_once(lambda: autotopups.top_up_due(now=timezone.now()))

    assert sum(started) == 1
    assert Payment.objects.filter(automatic=True).count() == 1


def test_the_days_counter_takes_no_more_than_fits(low):
    taken = at_once(lambda: AutoTopup.objects.filter(pk=low.pk).charge(500, timezone.now().date()))

    low.refresh_from_db()
    assert (sum(taken), low.charged) == (2, 1_000)


def test_without_the_guard_the_same_workers_pass_the_cap(low):
    """The control: read, compare, write."""
    read = Barrier(WORKERS)

    def unguarded():
        row = AutoTopup.objects.get(pk=low.pk)
        read.wait()
        if row.charged + 500 > row.daily_cap:
            return False
        return AutoTopup.objects.filter(pk=low.pk).update(charged=row.charged + 500) == 1

    assert sum(at_once(unguarded)) > 2
