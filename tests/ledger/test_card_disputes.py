"""Disputed card payments: what is frozen, what is refused meanwhile, and who bears a loss."""

import pytest
from django.utils import timezone

from marketplace.ledger.errors import WalletFrozen
from marketplace.ledger.holds import hold_money, release
from marketplace.ledger.models import (
    CardDispute,
    Hold,
    WebhookReceipt,
)
from marketplace.ledger.services import post_many
from tests.ledger.cashier import MONEY, Cashier

pytestmark = pytest.mark.django_db


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


def test_a_dispute_freezes_what_is_there_and_what_comes_back_later(cashier):
    payment = cashier.topped_up(10_000)
    hold = hold_money(organization=cashier.buyer, amount=4_000, subject="job_1", now=cashier.now, actor="test", **MONEY)

    cashier.dispute(payment)
    cashier.hear()
    assert cashier.wallet() == (0, 4_000, 6_000)

    post_many(facts=release(hold=hold), now=cashier.now, actor="test")

    assert cashier.wallet() == (0, 0, 10_000)
    assert cashier.books("disputed_funds", "dispute_fees", "stripe_clearing") == [10_000, 1_500, -1_820]


def test_nothing_new_is_promised_while_a_payment_is_disputed(cashier):
    payment = cashier.topped_up(10_000)
    cashier.topped_up(5_000)
    cashier.dispute(payment)
    cashier.hear()
    assert cashier.wallet() == (5_000, 0, 10_000)

    with pytest.raises(WalletFrozen):
        hold_money(organization=cashier.buyer, amount=1, subject="job_1", now=cashier.now, actor="test", **MONEY)
    with pytest.raises(WalletFrozen):
        cashier.refund(100)

    assert not Hold.objects.exists()


def test_a_dispute_that_is_won_gives_the_wallet_back(cashier):
    dispute = cashier.dispute(cashier.topped_up(10_000))
    cashier.hear()

    cashier.decide(dispute, won=True)
    cashier.hear()

    assert cashier.wallet() == (10_000, 0, 0)
    assert cashier.books("disputed_funds", "stripe_clearing", "dispute_fees") == [0, 10_000 - 320 - 1_500, 1_500]
    assert CardDispute.objects.get().state == "won"


def test_a_dispute_that_is_lost_takes_what_was_frozen_and_the_rest_is_the_markets_loss(cashier):
    payment = cashier.topped_up(10_000)
    hold_money(organization=cashier.buyer, amount=1_827, subject="job_1", now=cashier.now, actor="test", **MONEY)
    dispute = cashier.dispute(payment)
    cashier.hear()

    cashier.decide(dispute, won=False)
    cashier.hear()

    assert cashier.wallet() == (0, 1_827, 0)
    assert cashier.books("dispute_loss", "disputed_funds", "buyer_frozen") == [1_827, 0, 0]


def test_a_loss_takes_what_is_there_even_where_it_is_the_first_that_is_heard(cashier):
    dispute = cashier.dispute(cashier.topped_up(10_000))

    cashier.decide(dispute, won=False)
    cashier.hear()

    assert cashier.wallet() == (0, 0, 0)
    assert cashier.books("dispute_loss", "disputed_funds") == [0, 0]


def test_a_loss_that_is_told_again_takes_nothing_more(cashier):
    dispute = cashier.dispute(cashier.topped_up(10_000))
    cashier.decide(dispute, won=False)
    cashier.hear()
    cashier.topped_up(5_000)
    WebhookReceipt.objects.update(applied_at=None, next_try_at=cashier.now)

    cashier.apply()

    assert cashier.wallet() == (5_000, 0, 0)


def test_an_inquiry_moves_nothing_until_it_becomes_a_dispute(cashier):
    dispute = cashier.dispute(cashier.topped_up(10_000), inquiry=True)
    cashier.hear()
    assert cashier.wallet() == (10_000, 0, 0)

    cashier.escalate(dispute)
    cashier.hear()

    assert cashier.wallet() == (0, 0, 10_000)
