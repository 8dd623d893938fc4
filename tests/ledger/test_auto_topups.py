"""Automatic top-ups: when a wallet runs low, one at a time, within a day's cap, and off when a card is refused."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from marketplace.common.errors import ValidationFailed
from marketplace.events.models import Event
from marketplace.ledger import autotopups, outbox
from marketplace.ledger.gateways.base import GatewayDeclined
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.holds import hold_money
from marketplace.ledger.models import AutoTopup, GatewayCall, Payment
from marketplace.ledger.tasks import top_up_automatically
from tests.ledger.cashier import MONEY, Cashier
from tests.market import make_organization

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


@pytest.fixture
def low(cashier):
    """A buyer whose card is saved and who has 10.00: below 20.00 the card is charged 15.00, at most 40.00 a day."""
    cashier.topped_up(1_000, save=True)
    return on(cashier)


def on(cashier, **changes):
    terms = {"threshold": 2_000, "amount": 1_500, "daily_cap": 4_000} | changes
    return autotopups.switch_on(organization=cashier.buyer, now=cashier.now, **terms, **MONEY)


def run(cashier):
    """One turn of the periodic task, with the processor's answers and messages."""
    started = autotopups.top_up_due(now=cashier.now)
    cashier.send()
    cashier.hear()
    return started


def available(cashier):
    return cashier.wallet()[0]


def spend(cashier, amount, subject):
    hold_money(organization=cashier.buyer, amount=amount, subject=subject, now=cashier.now, actor="test", **MONEY)


def refuse(monkeypatch, reason="card_declined"):
    def declined(*_, **__):
        raise GatewayDeclined("no", reason=reason)

    monkeypatch.setattr(SandboxGateway, "charge_saved", declined)


def test_a_wallet_below_its_threshold_is_topped_up_by_the_saved_card(cashier, low):
    assert run(cashier) == 1

    payment = Payment.objects.get(automatic=True)
    assert (payment.state, payment.captured, available(cashier)) == ("succeeded", 1_500, 2_500)
    assert run(cashier) == 0, "it is above the threshold now"


def test_a_wallet_at_its_threshold_is_left_alone(cashier):
    cashier.topped_up(2_000, save=True)
    on(cashier)

    assert run(cashier) == 0


def test_the_cap_of_a_day_is_never_passed_and_the_next_day_begins_anew(cashier, low):
    for number in range(5):
        if run(cashier):
            spend(cashier, available(cashier), f"job_{number}")

    assert Payment.objects.filter(automatic=True).count() == 2, "a third would make 45.00"
    low.refresh_from_db()
    assert low.charged == 3_000
    cashier.now += DAY
    assert run(cashier) == 1
    low.refresh_from_db()
    assert (low.charged, low.day) == (1_500, cashier.now.date())


def test_the_database_itself_holds_the_cap(low):
    with pytest.raises(IntegrityError, match="auto_topup_stays_under_its_cap"), transaction.atomic():
        AutoTopup.objects.filter(pk=low.pk).update(charged=4_001)


def test_a_charge_under_way_is_waited_for(cashier, low):
    assert autotopups.top_up_due(now=cashier.now) == 1
    assert autotopups.top_up_due(now=cashier.now) == 0

    assert Payment.objects.filter(automatic=True).count() == 1


def test_a_refused_card_switches_it_off_and_tells_the_buyer(cashier, low, monkeypatch):
    refuse(monkeypatch)
    run(cashier)

    assert run(cashier) == 0

    low.refresh_from_db()
    assert (low.on, low.reason, available(cashier)) == (False, "card_declined", 1_000)
    told = Event.objects.get(type="auto_topup.off")
    assert (told.buyer, told.reason) == (cashier.buyer, "card_declined")
    assert GatewayCall.objects.filter(op="charge_saved").count() == 1


def test_switched_on_again_it_tries_again(cashier, low, monkeypatch):
    refuse(monkeypatch)
    run(cashier)
    run(cashier)
    monkeypatch.undo()

    on(cashier)

    assert run(cashier) == 1
    assert available(cashier) == 2_500


def test_what_was_charged_today_counts_after_a_change_too(cashier, low):
    run(cashier)
    spend(cashier, available(cashier), "job_1")

    with pytest.raises(ValidationFailed) as refusal:
        on(cashier, amount=500, daily_cap=1_499)
    assert [each.pointer for each in refusal.value.problems] == ["/daily_cap"]
    on(cashier, daily_cap=2_999)

    assert run(cashier) == 0, "15.00 of 29.99 were charged before the change"


def test_switched_off_by_its_owner_it_charges_nothing_and_has_no_reason(cashier, low):
    assert autotopups.switch_off(row=low, now=cashier.now)
    assert not autotopups.switch_off(row=low, now=cashier.now)

    assert run(cashier) == 0
    assert (low.on, low.reason) == (False, "")


def test_while_a_payment_is_disputed_no_card_is_charged(cashier, low):
    cashier.dispute(Payment.objects.get())
    cashier.hear()
    assert cashier.wallet() == (0, 0, 1_000)

    assert run(cashier) == 0


def test_a_new_buyer_who_may_pay_in_no_more_is_switched_off_with_that_reason(cashier, low, settings):
    settings.NEW_BUYER_CAP_MINOR = 2_000
    cashier.buyer.created_at = cashier.now - DAY
    cashier.buyer.save(update_fields=["created_at"])

    assert run(cashier) == 0

    low.refresh_from_db()
    assert (low.on, low.reason, low.charged) == (False, "spend_limit_reached", 0)
    assert not Payment.objects.filter(automatic=True).exists()


@pytest.mark.parametrize(("changes", "field"), [
    ({"threshold": 0}, "/threshold"), ({"amount": 499}, "/amount"), ({"amount": 1_000_001}, "/amount"),
    ({"daily_cap": 1_499}, "/daily_cap"),
])  # fmt: skip
def test_terms_that_cannot_be_kept_name_the_field_and_change_nothing(cashier, low, changes, field):
    with pytest.raises(ValidationFailed) as refusal:
        on(cashier, **changes)

    assert [each.pointer for each in refusal.value.problems] == [field]
    low.refresh_from_db()
    assert (low.threshold, low.amount, low.daily_cap) == (2_000, 1_500, 4_000)


def test_without_a_saved_card_nothing_can_be_switched_on(cashier):
    cashier.topped_up(1_000)

    with pytest.raises(ValidationFailed, match="no card is saved"):
        on(cashier)

    assert not AutoTopup.objects.exists()


def test_another_organizations_card_is_not_used(cashier, low):
    other = make_organization(funds=0)

    assert autotopups.saved_card(organization=other, **MONEY) is None
    assert autotopups.auto_topup_of(organization=other, **MONEY) is None


def test_the_task_charges_and_sends_at_once(cashier, low):
    top_up_automatically()

    payment = Payment.objects.get(automatic=True)
    assert payment.state == "succeeded"
    outbox.send_due(now=timezone.now())
