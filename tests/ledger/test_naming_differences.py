"""What differs from the processor is named by one journal of suspense, whichever side knows it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.ledger.gateways import current_gateway
from marketplace.ledger.lines import Line, credit, debit
from marketplace.ledger.reconciling import reconcile
from marketplace.ledger.services import account_of, post
from tests.ledger.cashier import MONEY, Cashier

pytestmark = pytest.mark.django_db


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


def name_it(ref, amount, now):
    clearing, suspense = (account_of(kind=kind, owner=None, **MONEY) for kind in ("stripe_clearing", "suspense"))
    post(kind="suspense", ref=ref, lines=[Line(clearing, amount), Line(suspense, -amount)], now=now, actor="test")


def reconciled(cashier):
    return reconcile(gateway=current_gateway(), day=cashier.now.date())


def test_a_payment_that_never_reached_the_books_is_named_whole_with_its_fee(cashier):
    cashier.pay(cashier.start())
    [transaction] = {each.transaction for each in reconciled(cashier).differences}

    name_it(transaction, 10_000 - 320, cashier.now)

    result = reconciled(cashier)
    assert result.clean
    assert [each.named for each in result.differences] == [True, True]


def test_another_amount_names_nothing(cashier):
    cashier.pay(cashier.start())
    [transaction] = {each.transaction for each in reconciled(cashier).differences}

    name_it(transaction, 10_000, cashier.now)

    assert not reconciled(cashier).clean


def test_what_only_we_know_is_named_by_our_own_reference(cashier):
    clearing = account_of(kind="stripe_clearing", owner=None, **MONEY)
    wallet = account_of(kind="buyer_available", owner=cashier.buyer, **MONEY)
    post(kind="topup", ref="pi_made_up", lines=[debit(clearing, 5), credit(wallet, 5)], now=cashier.now, actor="test")
    assert not reconciled(cashier).clean

    name_it("pi_made_up", -5, cashier.now + timedelta(seconds=1))

    assert reconciled(cashier).clean
