"""What is Stripe's own: its answers that go wrong, what is sent to it, and the oddities of its currencies."""

import json

import pytest

from marketplace.ledger.gateways import stripe_amounts
from marketplace.ledger.gateways.base import (
    GatewayBusy,
    GatewayDeclined,
    GatewayInvalid,
    GatewayMisconfigured,
    GatewayUnknown,
)
from marketplace.ledger.gateways.faults import Faults
from marketplace.ledger.gateways.sandbox_models import SandboxPayment, SandboxRefund, SandboxSession
from marketplace.ledger.gateways.stripe_gateway import StripeGateway
from marketplace.ledger.gateways.words import KEY, ORGANIZATION
from tests.fake_stripe.forms import read_form
from tests.ledger.gateways.scene import a_key, recipient, stripe_scene

ALWAYS = 10**9


def body(**error):
    return json.dumps({"error": {"type": "invalid_request_error", "message": "as told", **error}}).encode()


@pytest.mark.parametrize(("status", "answer", "expected"), [
    (400, body(), GatewayInvalid),
    (400, body(type="idempotency_error"), GatewayInvalid),
    (404, body(code="resource_missing"), GatewayInvalid),
    (400, body(code="balance_insufficient"), GatewayDeclined),
    (400, body(code="charge_disputed"), GatewayDeclined),
    (402, body(type="card_error", code="card_declined", decline_code="generic_decline"), GatewayDeclined),
    (401, body(), GatewayMisconfigured),
    (403, body(), GatewayMisconfigured),
    (409, body(code="idempotency_key_in_use"), GatewayUnknown),
    (429, body(code="rate_limit"), GatewayBusy),
    (429, body(code="lock_timeout"), GatewayBusy),
    (500, body(type="api_error"), GatewayUnknown),
    (502, b"<html>Bad gateway</html>", GatewayUnknown),
    (503, b"", GatewayUnknown),
    (200, b"not json", GatewayUnknown),
    (200, b"", GatewayUnknown),
    (400, b'{"error": "odd"}', GatewayUnknown),
    (200, b"[]", GatewayUnknown),
    (200, b"{}", GatewayUnknown),
    (200, b"[" * 100_000, GatewayUnknown),
    (301, b"", GatewayUnknown),
    (418, body(), GatewayUnknown),
])  # fmt: skip
def test_every_answer_is_the_error_that_it_means(at_stripe, status, answer, expected):
    at_stripe.door.scripted.append((status, {}, answer))

    with pytest.raises(expected) as told:
        at_stripe.topup()

    assert type(told.value) is expected
    assert len(at_stripe.door.seen) == 1  # the library tried once
    assert SandboxSession.objects.count() == 0


def test_a_refusal_says_why_and_a_busy_answer_says_how_long(at_stripe):
    declined = body(type="card_error", code="card_declined", decline_code="insufficient_funds")
    at_stripe.door.scripted.extend([
        (402, {}, declined), (400, {}, body(code="balance_insufficient")),
        (429, {"Retry-After": "7"}, body()), (429, {"Retry-After": "Fri, 31 Dec"}, body()),
    ])  # fmt: skip
    reasons, waits = [], []
    for _ in range(2):
        with pytest.raises(GatewayDeclined) as refused:
            at_stripe.topup()
        reasons.append(refused.value.reason)
    for _ in range(2):
        with pytest.raises(GatewayBusy) as busy:
            at_stripe.topup()
        waits.append(busy.value.retry_after)

    assert reasons == ["insufficient_funds", "balance_insufficient"]
    assert waits == [7, 2]


def test_a_wrong_key_is_misconfigured_and_makes_nothing(at_stripe):
    stranger = StripeGateway(key="sk_test_other", base=at_stripe.door.url, recipient=recipient())

    at_stripe.gateway = stranger
    with pytest.raises(GatewayMisconfigured):
        at_stripe.topup()
    assert SandboxSession.objects.count() == 0


def test_where_nobody_listens_everything_is_unknown():
    nowhere = StripeGateway(key="sk_test_1", base="http://127.0.0.1:1", recipient=recipient())

    with pytest.raises(GatewayUnknown):
        nowhere.fetch_payment("pi_1")


@pytest.mark.parametrize("kind", ["timeout", "http500"])
def test_a_call_without_an_answer_is_unknown_and_the_same_key_does_it_once(committed, kind):
    with stripe_scene(Faults(seed=6, **{kind: ALWAYS // 2})) as scene:
        key, tries = a_key(), 0
        page = None
        while page is None:
            tries += 1
            try:
                page = scene.topup(key=key)
            except GatewayUnknown:
                assert SandboxSession.objects.count() <= 1
        scene.pay(page.session, "ok")

        assert tries > 1
        assert SandboxSession.objects.count() == 1


def test_a_time_out_is_told_after_the_patience_and_not_by_the_library_after_more(committed):
    with stripe_scene(Faults(timeout=ALWAYS)) as scene:
        with pytest.raises(GatewayUnknown):
            scene.topup()

        assert len(scene.door.seen) == 1


def test_each_call_carries_its_key_and_the_key_stands_in_all_that_it_made(at_stripe):
    key, refund_key = a_key(), a_key()
    page = at_stripe.topup(key=key)
    at_stripe.pay(page.session, "ok")
    intent = at_stripe.gateway.fetch_payment(page.session).intent
    at_stripe.gateway.create_refund(key=refund_key, intent=intent, amount=1)
    sent = [headers["Idempotency-Key"] for method, _, headers in at_stripe.door.seen if method == "POST"]

    assert sent == [key, refund_key]
    about = {KEY: key, ORGANIZATION: "org_1"}
    assert SandboxSession.objects.get().metadata == SandboxPayment.objects.get().metadata == about
    assert SandboxRefund.objects.get().metadata == {KEY: refund_key}


def test_a_method_that_nobody_saved_is_not_charged(at_stripe):
    with pytest.raises(GatewayInvalid):
        at_stripe.charge("pm_nothing")
    assert SandboxPayment.objects.count() == 0


@pytest.mark.parametrize(("asset", "op", "amount", "sent"), [
    ("USD", "create_topup", 1_827, 1_827), ("JPY", "create_topup", 500, 500), ("KWD", "create_topup", 5_120, 5_120),
    ("ISK", "create_topup", 500, 50_000), ("UGX", "create_transfer", 7, 700), ("HUF", "create_topup", 12_345, 12_345),
    ("HUF", "create_transfer", 12_300, 12_300), ("TWD", "create_transfer", 100, 100),
])  # fmt: skip
def test_amounts_are_sent_as_stripe_counts_them_and_come_back(asset, op, amount, sent):
    assert stripe_amounts.theirs(op=op, asset=asset, amount=amount) == sent
    assert stripe_amounts.ours(sent, asset) == amount
    assert stripe_amounts.movable(op=op, asset=asset, amount=amount) == amount


@pytest.mark.parametrize(("asset", "op", "amount", "movable"), [
    ("KWD", "create_topup", 5_125, 5_120), ("BHD", "create_refund", 9, 0), ("HUF", "create_transfer", 12_345, 12_300),
    ("HUF", "reverse_transfer", 99, 0), ("TWD", "create_transfer", 101, 100),
])  # fmt: skip
def test_an_amount_that_stripe_would_round_is_refused_and_the_part_that_goes_is_told(asset, op, amount, movable):
    with pytest.raises(GatewayInvalid):
        stripe_amounts.theirs(op=op, asset=asset, amount=amount)

    assert stripe_amounts.movable(op=op, asset=asset, amount=amount) == movable
    assert stripe_amounts.theirs(op=op, asset=asset, amount=movable) == movable


def test_a_part_of_a_krona_is_no_amount_of_ours():
    with pytest.raises(GatewayInvalid):
        stripe_amounts.ours(50_050, "ISK")
    assert stripe_amounts.ours(-50_000, "ISK") == -500


def test_icelandic_money_goes_as_hundredths_and_comes_back_as_it_was(at_stripe):
    paid = at_stripe.paid(1_000, asset="ISK")
    refund = at_stripe.gateway.create_refund(key=a_key(), intent=paid.intent, amount=1)
    payee = at_stripe.enabled_payee()
    transfer = at_stripe.transfer(payee, 2, asset="ISK")

    assert SandboxPayment.objects.get().amount == 100_000
    assert (paid.amount, paid.captured, [each.net for each in paid.transactions]) == (1_000, 1_000, [971])
    assert (refund.amount, transfer.amount) == (1, 2)
    assert [(kind, amount) for kind, _, amount, _, _ in at_stripe.moves()] == [
        ("charge", 1_000), ("refund", -1), ("transfer", -2),
    ]  # fmt: skip


def test_nothing_is_sent_that_would_be_rounded(at_stripe):
    with pytest.raises(GatewayInvalid, match="steps of 10"):
        at_stripe.topup(5_125, asset="KWD")
    with pytest.raises(GatewayInvalid, match="steps of 100"):
        at_stripe.transfer("acct_1", 12_345, asset="HUF")

    assert at_stripe.door.seen == []


@pytest.mark.parametrize(("text", "tree"), [
    ("", {}), ("a=1", {"a": "1"}), ("a=", {"a": ""}), ("a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
    ("a[0][b]=1&a[1][b]=2", {"a": [{"b": "1"}, {"b": "2"}]}), ("a[]=1&a[]=2", {"a": ["1", "2"]}),
    ("a%5Bb%5D=%2B1", {"a": {"b": "+1"}}),
])  # fmt: skip
def test_the_door_reads_bracket_notation(text, tree):
    assert read_form(text) == tree


@pytest.mark.parametrize("text", ["a", "[a]=1", "a[b=1", "a]=1", "a=1&a=2", "a=1&a[b]=2"])
def test_the_door_refuses_what_is_no_form(text):
    with pytest.raises(ValueError, match=r"is no name|is both|is there twice|bad query field"):
        read_form(text)
