"""A day at the processor against a day in the books."""

import pytest
from django.utils import timezone

from marketplace.ledger.gateways import current_gateway
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.reconciling import reconcile
from marketplace.ledger.services import account_of, post
from tests.ledger.cashier import MONEY, Cashier

pytestmark = pytest.mark.django_db


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


def test_a_day_at_the_processor_adds_up_to_the_books(cashier):
    cashier.topped_up(10_000)
    cashier.refund(4_000)
    cashier.send()
    cashier.dispute(cashier.topped_up(1_000))
    cashier.hear()

    result = reconcile(gateway=current_gateway(), day=cashier.now.date())

    assert result.differences == []
    assert result.transactions == 4
    assert result.theirs == result.ours == {"USD": 10_000 - 320 - 4_000 + 1_000 - 59 - 1_000 - 1_500}


def test_what_only_the_processor_knows_is_named_until_somebody_books_it(cashier):
    payment = cashier.start()
    cashier.pay(payment)

    result = reconcile(gateway=current_gateway(), day=cashier.now.date())

    assert not result.clean
    assert {(each.kind, each.theirs, each.ours) for each in result.differences} == {
        ("topup", 10_000, 0), ("stripe_fee", -320, 0),
    }  # fmt: skip
    cashier.hear()
    assert reconcile(gateway=current_gateway(), day=cashier.now.date()).clean


def test_what_only_we_know_is_a_difference_too(cashier):
    clearing = account_of(kind="stripe_clearing", owner=None, **MONEY)
    wallet = account_of(kind="buyer_available", owner=cashier.buyer, **MONEY)
    post(kind="topup", ref="pi_made_up", lines=[debit(clearing, 5), credit(wallet, 5)], now=cashier.now, actor="test")

    result = reconcile(gateway=current_gateway(), day=cashier.now.date())

    assert [(each.reference, each.theirs, each.ours) for each in result.differences] == [("pi_made_up", 0, 5)]
