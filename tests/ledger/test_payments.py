"""Top-ups and refunds: the wallet follows what the processor says when it is asked, and each fact counts once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.ledger import outbox, payments, webhooks
from marketplace.ledger.errors import AmountOutOfRange, RefundExceedsPayment, SpendLimitReached
from marketplace.ledger.gateways.base import GatewayBusy, GatewayMisconfigured, GatewayUnknown
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.gateways.sandbox_models import SandboxPayment, SandboxRefund
from marketplace.ledger.models import (
    GatewayCall,
    GatewayStop,
    Journal,
    Payment,
    Refund,
    WebhookReceipt,
)
from tests.ledger.cashier import MONEY, Cashier

pytestmark = pytest.mark.django_db


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


def journals(*kinds):
    return sorted(Journal.objects.filter(kind__in=kinds).values_list("kind", flat=True))


def test_a_paid_topup_credits_the_wallet_and_books_the_processors_fee(cashier):
    payment = cashier.topped_up(10_000)

    assert (payment.state, payment.captured, cashier.wallet()) == ("succeeded", 10_000, (10_000, 0, 0))
    assert cashier.books("stripe_clearing", "stripe_fees") == [9_680, 320]
    assert set(cashier.delivered) == {200}


def test_a_message_alone_credits_nothing_only_what_the_processor_answers_when_asked(cashier, monkeypatch):
    payment = cashier.start()
    cashier.pay(payment)
    monkeypatch.setattr(SandboxGateway, "fetch_payment", lambda *_: (_ for _ in ()).throw(GatewayUnknown("away")))

    cashier.hear()

    assert cashier.wallet() == (0, 0, 0)
    monkeypatch.undo()
    cashier.now += timedelta(minutes=1)
    cashier.apply()
    assert cashier.wallet() == (10_000, 0, 0)


@pytest.mark.parametrize("outcome", ["declined", "insufficient"])
def test_a_declined_card_leaves_the_page_open_for_another(cashier, outcome):
    payment = cashier.topped_up(10_000, outcome)
    assert (payment.state, cashier.wallet()) == ("open", (0, 0, 0))

    cashier.pay(payment)
    cashier.hear()

    assert cashier.wallet() == (10_000, 0, 0)


@pytest.mark.parametrize(("outcome", "credited"), [("3ds_ok", 10_000), ("3ds_fail", 0)])
def test_the_bank_decides_a_payment_that_it_asks_about(cashier, outcome, credited):
    payment = cashier.topped_up(10_000, outcome)
    assert cashier.wallet() == (0, 0, 0)

    cashier.authenticate(payment, agreed=True)
    cashier.hear()

    assert cashier.wallet() == (credited, 0, 0)


def test_slow_money_is_credited_when_it_comes(cashier):
    payment = cashier.topped_up(10_000, "slow")
    assert (payment.state, cashier.wallet()) == ("processing", (0, 0, 0))

    cashier.passes(timedelta(minutes=2))
    cashier.hear()

    assert cashier.wallet() == (10_000, 0, 0)


def test_a_page_that_nobody_pays_on_is_given_up(cashier):
    payment = cashier.start()

    cashier.passes(timedelta(days=2))
    cashier.hear()

    payment.refresh_from_db()
    assert (payment.state, cashier.wallet()) == ("cancelled", (0, 0, 0))


@pytest.mark.parametrize(("amount", "hint"), [(499, "500"), (1_000_001, "1000000")])
def test_a_topup_out_of_range_says_what_is_in_range_and_leaves_nothing(cashier, amount, hint):
    with pytest.raises(AmountOutOfRange) as refusal:
        cashier.start(amount)

    assert refusal.value.hint == hint
    assert not Payment.objects.exists()
    assert not GatewayCall.objects.exists()


def test_a_new_buyer_pays_in_so_much_in_its_first_days_and_no_more(cashier):
    cashier.buyer.created_at = cashier.now - timedelta(days=3)
    cashier.start(40_000)

    with pytest.raises(SpendLimitReached) as refusal:
        cashier.start(10_001)

    assert refusal.value.hint == "10000"
    assert Payment.objects.count() == 1
    cashier.buyer.created_at = cashier.now - timedelta(days=30)
    assert cashier.start(10_001).state == "open"


def test_whatever_comes_twice_counts_once(cashier):
    cashier.topped_up(10_000)
    WebhookReceipt.objects.update(applied_at=None, next_try_at=cashier.now)

    cashier.apply()

    assert cashier.wallet() == (10_000, 0, 0)
    assert journals("topup", "stripe_fee") == ["stripe_fee", "topup"]


def test_what_no_message_told_is_found_by_asking(cashier):
    payment = cashier.start()
    cashier.pay(payment)

    assert webhooks.fetch_missed(now=cashier.now) > 0
    cashier.apply()

    assert cashier.wallet() == (10_000, 0, 0)


def test_a_refund_goes_back_to_the_newest_card_first(cashier):
    first, second = cashier.topped_up(10_000), cashier.topped_up(5_000)

    made = cashier.refund(7_000)
    assert cashier.wallet() == (8_000, 7_000, 0)
    cashier.send()
    cashier.hear()

    assert [(each.payment, each.amount) for each in made] == [(second, 5_000), (first, 2_000)]
    assert cashier.wallet() == (8_000, 0, 0)
    assert {each.state for each in Refund.objects.all()} == {"succeeded"}
    assert SandboxPayment.objects.get(public_id=first.intent).refunded == 2_000


def test_no_more_goes_back_to_cards_than_came_from_them(cashier):
    cashier.topped_up(10_000)
    cashier.refund(9_999)

    with pytest.raises(RefundExceedsPayment) as refusal:
        cashier.refund(2)

    assert refusal.value.hint == "1"
    assert cashier.wallet() == (1, 9_999, 0)


def test_a_refund_of_exactly_one_goes_back(cashier):
    cashier.topped_up(500)
    cashier.refund(1)
    cashier.send()
    cashier.hear()

    assert cashier.wallet() == (499, 0, 0)


def test_a_refund_that_the_bank_returns_is_in_the_wallet_again(cashier):
    payment = cashier.topped_up(10_000)
    cashier.refund(4_000)
    cashier.send()
    cashier.hear()
    assert cashier.wallet() == (6_000, 0, 0)

    cashier.bank_returns()
    cashier.hear()

    payment.refresh_from_db()
    assert (Refund.objects.get().state, payment.refunded, cashier.wallet()) == ("failed", 0, (10_000, 0, 0))
    assert cashier.books("stripe_clearing") == [9_680]


def test_a_refund_that_the_processor_refuses_is_in_the_wallet_again(cashier):
    payment = cashier.topped_up(10_000)
    SandboxPayment.objects.update(refunded=9_000)  # as if somebody had refunded at the processor's own desk
    cashier.refund(4_000)

    cashier.send()

    payment.refresh_from_db()
    assert (Refund.objects.get().state, payment.refunded, cashier.wallet()) == ("failed", 0, (10_000, 0, 0))
    assert GatewayCall.objects.get(op="create_refund").state == "failed"


def test_a_call_that_times_out_after_its_effect_is_made_again_with_the_same_key(cashier, monkeypatch):
    cashier.topped_up(10_000)
    create = SandboxGateway.create_refund

    def lost(self, **asked):
        create(self, **asked)
        raise GatewayUnknown("the answer was lost")

    monkeypatch.setattr(SandboxGateway, "create_refund", lost)
    cashier.refund(4_000)
    cashier.send()
    assert GatewayCall.objects.get(op="create_refund").state == "unknown"
    monkeypatch.undo()

    cashier.now += timedelta(minutes=1)
    cashier.send()

    assert SandboxRefund.objects.count() == 1
    assert (Refund.objects.get().state, cashier.wallet()) == ("succeeded", (6_000, 0, 0))


def test_after_a_day_what_a_key_made_is_looked_for_before_it_is_made_again(cashier, monkeypatch):
    cashier.topped_up(10_000)
    create = SandboxGateway.create_refund

    def lost(self, **asked):
        create(self, **asked)
        raise GatewayUnknown("the answer was lost")

    monkeypatch.setattr(SandboxGateway, "create_refund", lost)
    cashier.refund(4_000)
    cashier.send()
    monkeypatch.setattr(SandboxGateway, "create_refund", lambda *_, **__: pytest.fail("it was made again"))

    cashier.now += timedelta(days=2)
    cashier.send()

    assert (Refund.objects.get().state, cashier.wallet()) == ("succeeded", (6_000, 0, 0))


def test_a_worker_that_comes_back_too_late_writes_nothing(cashier):
    payment, _ = payments.start_topup(
        organization=cashier.buyer, amount=10_000, success_url="/", cancel_url="/", now=cashier.now, **MONEY
    )
    [late] = GatewayCall.objects.claim(now=cashier.now, most=1)
    cashier.now += timedelta(minutes=2)
    cashier.send()
    payment.refresh_from_db()
    url = payment.url

    outbox.send(call=late, now=cashier.now)

    payment.refresh_from_db()
    assert (payment.url, GatewayCall.objects.get().state) == (url, "done")


def test_a_call_that_one_worker_has_is_not_made_by_another(cashier):
    payments.start_topup(
        organization=cashier.buyer, amount=10_000, success_url="/", cancel_url="/", now=cashier.now, **MONEY
    )
    assert len(GatewayCall.objects.claim(now=cashier.now, most=1)) == 1

    assert cashier.send() == 0


def test_a_busy_processor_is_asked_again_when_it_says(cashier, monkeypatch):
    monkeypatch.setattr(
        SandboxGateway, "create_topup", lambda *_, **__: (_ for _ in ()).throw(GatewayBusy("later", retry_after=90))
    )
    cashier.start()

    call = GatewayCall.objects.get()
    assert (call.state, call.next_try_at) == ("unknown", cashier.now + timedelta(seconds=90))


def test_wrong_keys_stop_the_outbox_until_an_operator_starts_it(cashier, monkeypatch):
    monkeypatch.setattr(
        SandboxGateway, "create_topup", lambda *_, **__: (_ for _ in ()).throw(GatewayMisconfigured("no such key"))
    )
    cashier.start()
    monkeypatch.undo()
    cashier.now += timedelta(hours=2)
    assert (cashier.send(), GatewayStop.objects.get().reason) == (0, "no such key")

    assert outbox.start(gateway="sandbox")

    assert cashier.send() == 1
    assert Payment.objects.get().state == "open"


def test_a_saved_card_is_charged_without_its_holder(cashier):
    payment = cashier.topped_up(10_000, save=True)
    assert payment.method

    payments.charge_again(payment=payment, amount=5_000, now=cashier.now)
    cashier.send()
    cashier.hear()

    assert cashier.wallet() == (15_000, 0, 0)
