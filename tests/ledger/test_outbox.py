"""Calls to the processor are claimed for a while and by number: a worker past its number writes nothing."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.events.outbox import LEASE, LONGEST_WAIT
from marketplace.ledger.models import GatewayCall
from tests.ledger.cashier import Cashier

pytestmark = pytest.mark.django_db
calls = GatewayCall.objects


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def call(now):
    return calls.create(
        gateway="sandbox", op="create_payee", subject="pye_1", params={}, next_try_at=now, created_at=now
    )


def claim(now):
    return calls.claim(now=now, most=10)


def test_a_claimed_call_is_due_again_only_after_its_time(call, now):
    assert [each.pk for each in claim(now)] == [call.pk]
    assert claim(now + LEASE - timedelta(seconds=1)) == []

    [again] = claim(now + LEASE)

    assert (again.tries, again.epoch, again.first_sent_at) == (2, 2, now)


def test_a_worker_whose_call_another_has_claimed_neither_ends_it_nor_puts_it_off(call, now):
    [late] = claim(now)
    [present] = claim(now + LEASE)

    assert not calls.finish(late, state="failed", now=now)
    assert not calls.put_off(late, now=now, error="late")

    assert calls.finish(present, state="done", now=now)
    assert calls.get().state == "done"


def test_an_ended_call_is_never_claimed_again(call, now):
    [mine] = claim(now)
    calls.finish(mine, state="done", now=now)

    assert claim(now + timedelta(days=30)) == []
    assert not calls.finish(mine, state="failed", now=now)


def test_each_try_waits_longer_and_never_longer_than_an_hour(call, now):
    waits, moment = [], now
    for _ in range(14):
        [mine] = claim(moment)
        calls.put_off(mine, now=moment, error="no answer")
        waits.append(calls.get().next_try_at - moment)
        moment = calls.get().next_try_at

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(seconds=4), LONGEST_WAIT)


def test_keys_are_random_and_stay_with_their_call(call, now):
    other = calls.create(
        gateway="sandbox", op="create_payee", subject="pye_2", params={}, next_try_at=now, created_at=now
    )
    key = call.key

    for moment in (now, now + LEASE):
        claim(moment)

    assert calls.get(pk=call.pk).key == key != other.key


def test_a_topup_is_started_together_with_its_call_or_not_at_all(now):
    cashier = Cashier(now)
    cashier.start()

    call = calls.get()
    assert (call.op, call.state, call.params["amount"]) == ("create_topup", "done", 10_000)
