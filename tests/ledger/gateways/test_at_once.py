"""Calls that race: one key has one effect, and no balance is spent twice."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from marketplace.ledger.gateways.base import GatewayDeclined, GatewayInvalid, GatewayUnknown
from marketplace.ledger.gateways.sandbox_models import SandboxRefund, SandboxSession, SandboxTransfer
from tests.ledger.gateways.scene import a_key, sandbox_scene, stripe_scene

CALLERS = 6


@pytest.fixture(params=["sandbox", "stripe"])
def scene(request, committed):
    if request.param == "sandbox":
        yield sandbox_scene()
    else:
        with stripe_scene() as scene:
            yield scene


def at_once(*calls):
    """What each call gave: its answer, or the error that it raised."""
    together = Barrier(len(calls), timeout=20)

    def work(call):
        try:
            together.wait()
            return call()
        except (GatewayUnknown, GatewayDeclined, GatewayInvalid) as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(work, calls))


def test_one_key_asked_by_many_at_once_has_one_effect_and_one_answer(scene):
    key = a_key()
    given = at_once(*[lambda: scene.topup(key=key)] * CALLERS)
    answers = {each.session for each in given if not isinstance(each, Exception)}
    errors = {type(each) for each in given if isinstance(each, Exception)}

    assert SandboxSession.objects.count() == 1
    assert answers == {scene.topup(key=key).session}
    assert errors <= {GatewayUnknown}


def test_a_balance_is_transferred_once_however_many_ask(scene):
    scene.paid(10_000)
    payees = [scene.enabled_payee() for _ in range(CALLERS)]  # one alone would make them wait for each other
    given = at_once(*[lambda payee=payee: scene.transfer(payee, 9_680) for payee in payees])
    errors = [each for each in given if isinstance(each, Exception)]

    assert SandboxTransfer.objects.count() == 1
    assert [each.reason for each in errors] == ["balance_insufficient"] * (CALLERS - 1)
    assert sum(net for *_, net in scene.moves()) == 0


def test_a_payment_is_refunded_once_however_many_ask(scene):
    paid = scene.paid(10_000)
    given = at_once(*[lambda: scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=6_000)] * CALLERS)

    assert SandboxRefund.objects.count() == 1
    assert sum(isinstance(each, GatewayInvalid) for each in given) == CALLERS - 1
    assert scene.gateway.fetch_payment(paid.intent).refunded == 6_000
