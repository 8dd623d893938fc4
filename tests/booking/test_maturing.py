"""What providers earned becomes payable once, as much as is left of it, and is paid out less what they owe."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.booking.credits import give_credit
from marketplace.booking.maturing import mature_lines
from marketplace.booking.models import ChargeLine
from marketplace.ledger import payouts
from marketplace.ledger.gateways import current_gateway
from marketplace.ledger.gateways.base import GatewayDeclined
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.gateways.sandbox_models import SandboxTransfer
from marketplace.ledger.models import Journal, PayLine, Payout
from marketplace.ledger.reconciling import reconcile
from tests.booking.earning import WEEK, deal_of, earned, earnings, matured, owe
from tests.ledger.cashier import Cashier
from tests.market import NOON

pytestmark = pytest.mark.django_db


def test_a_line_matures_after_its_days_and_once():
    deal = deal_of()
    earned(deal)

    assert mature_lines(now=NOON + WEEK - timedelta(seconds=1)) == 0
    assert mature_lines(now=NOON + WEEK) == 1
    assert mature_lines(now=NOON + 2 * WEEK) == 0

    assert earnings(deal, "provider_pending", "provider_payable") == [0, 880]
    assert Journal.objects.filter(kind="mature").count() == 1


def test_what_a_credit_took_does_not_mature():
    deal = deal_of()
    line = earned(deal)
    give = {"kind": "usage_dispute", "subject": line.public_id, "contract": deal.contract, "lines": [line]}
    deal.post(give_credit(**give, base=1_000, amount=100, on_charges=100, livemode=False, now=NOON))

    mature_lines(now=NOON + WEEK)

    assert earnings(deal, "provider_pending", "provider_payable") == [0, 792]


def test_a_frozen_line_waits():
    deal = deal_of()
    earned(deal)
    ChargeLine.objects.update(frozen=True)

    assert mature_lines(now=NOON + WEEK) == 0


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


@pytest.fixture
def paid_provider(cashier):
    """A deal whose provider the processor knows, and a balance there to pay from."""
    deal = deal_of()
    cashier.provider = deal.provider
    cashier.onboarded()
    cashier.topped_up(50_000)
    return deal


def test_matured_money_is_transferred_once_a_day_with_the_lines_it_pays(cashier, paid_provider):
    matured(paid_provider)

    [payout] = cashier.pay_out()

    assert (payout.state, payout.amount, payout.netted) == ("paid", 1_760, 0)
    assert earnings(paid_provider, "provider_payable", "provider_in_transit") == [0, 0]
    assert SandboxTransfer.objects.get().amount == 1_760
    lines = [line.entry.journal.ref for line in PayLine.objects.filter(payout=payout)]
    assert lines == [line.public_id for line in ChargeLine.objects.order_by("pk")]


def test_a_second_run_on_the_same_day_pays_nothing_more(cashier, paid_provider):
    matured(paid_provider)
    cashier.pay_out()
    matured(paid_provider, lines=4)

    assert len(cashier.pay_out()) == 1
    cashier.now += timedelta(days=1)
    assert [each.amount for each in cashier.pay_out()] == [1_760, 3_520]
    assert PayLine.objects.count() == ChargeLine.objects.count() == 6


def test_little_money_waits_for_more(cashier, paid_provider):
    matured(paid_provider, lines=1)

    assert cashier.pay_out() == []

    assert earnings(paid_provider, "provider_payable") == [880]


def test_a_provider_that_the_processor_does_not_know_is_not_paid(cashier):
    deal = deal_of()
    matured(deal)

    assert cashier.pay_out() == []
    assert earnings(deal, "provider_payable") == [1_760]


def test_what_a_provider_owes_is_netted_before_it_is_paid(cashier, paid_provider):
    owe(paid_provider, 238)
    matured(paid_provider)
    assert earnings(paid_provider, "provider_receivable") == [238]

    [payout] = cashier.pay_out()

    assert (payout.amount, payout.netted) == (1_522, 238)
    assert earnings(paid_provider, "provider_receivable", "provider_payable") == [0, 0]


def test_what_is_too_little_to_pay_still_covers_what_is_owed(cashier, paid_provider):
    owe(paid_provider, 2_000)
    matured(paid_provider, lines=1)

    assert cashier.pay_out() == []

    assert earnings(paid_provider, "provider_receivable", "provider_payable") == [1_120, 0]


def test_a_refused_transfer_is_payable_again_and_tried_on_the_next_day(cashier, paid_provider, monkeypatch):
    matured(paid_provider)
    refuse = GatewayDeclined("the balance is too low", reason="balance_insufficient")
    monkeypatch.setattr(SandboxGateway, "create_transfer", lambda *_, **__: (_ for _ in ()).throw(refuse))
    [payout] = cashier.pay_out()
    assert (payout.state, payout.reason) == ("due", "balance_insufficient")
    assert earnings(paid_provider, "provider_payable", "provider_in_transit") == [1_760, 0]
    monkeypatch.undo()

    cashier.now += timedelta(days=1)
    [payout] = cashier.pay_out()

    assert (payout.state, payout.tries) == ("paid", 2)
    assert earnings(paid_provider, "provider_payable", "provider_in_transit") == [0, 0]


def test_a_transfer_taken_back_covers_the_loss_of_a_dispute(cashier, paid_provider):
    matured(paid_provider)
    [payout] = cashier.pay_out()

    payouts.reverse_payout(payout=payout, amount=1_760, now=cashier.now)
    cashier.send()
    cashier.hear()

    payout.refresh_from_db()
    assert (payout.state, payout.reversed) == ("reversed", 1_760)
    assert cashier.books("dispute_loss") == [-1_760]
    assert reconcile(gateway=current_gateway(), day=cashier.now.date()).clean


def test_nothing_is_paid_while_the_outbox_stands_still(cashier, paid_provider):
    from marketplace.ledger import outbox

    matured(paid_provider)
    outbox.stop(gateway="sandbox", reason="yesterday does not add up", now=cashier.now)

    assert cashier.pay_out() == []
    assert Payout.objects.count() == 0
