"""The contract of every processor: top-ups on a page, saved methods, and money back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.ledger.gateways.base import GatewayDeclined, GatewayInvalid, TopupPage
from tests.ledger.gateways.scene import a_key

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


def test_a_topup_is_open_until_somebody_pays_and_then_says_what_it_brought(scene):
    key = a_key()
    page = scene.topup(10_000, key=key)
    before = scene.gateway.fetch_payment(page.session)
    scene.pay(page.session, "ok")
    after = scene.gateway.fetch_payment(page.session)

    assert page.url.startswith("http")
    assert (before.state, before.intent, before.session, before.key, before.amount, before.captured) == (
        "open", "", page.session, key, 10_000, 0,
    )  # fmt: skip
    assert (after.state, after.captured, after.refunded, after.key, after.asset) == ("succeeded", 10_000, 0, key, "USD")
    assert (after.livemode, after.reason, after.method) == (False, "", "")
    [charged] = after.transactions
    assert (charged.kind, charged.source, charged.amount, charged.fee, charged.net) == (
        "charge", after.intent, 10_000, 320, 9_680,
    )  # fmt: skip
    assert charged.at == scene.clock.now


def test_a_payment_is_the_same_by_its_page_and_by_its_intent(scene):
    paid = scene.paid()

    assert scene.gateway.fetch_payment(paid.intent) == scene.gateway.fetch_payment(paid.session) == paid


@pytest.mark.parametrize(("outcome", "reason"), [("declined", "card_declined"), ("insufficient", "insufficient_funds")])
def test_a_refused_card_leaves_the_page_open_for_another(scene, outcome, reason):
    page = scene.topup()
    scene.pay(page.session, outcome)
    refused = scene.gateway.fetch_payment(page.session)
    scene.pay(page.session, "ok")
    paid = scene.gateway.fetch_payment(page.session)

    assert (refused.state, refused.reason, refused.captured, refused.transactions) == ("open", reason, 0, ())
    assert (paid.state, paid.reason, paid.captured) == ("succeeded", "", 10_000)
    assert paid.intent == refused.intent


@pytest.mark.parametrize(("outcome", "agreed", "state"), [
    ("3ds_ok", True, "succeeded"), ("3ds_ok", False, "open"), ("3ds_fail", True, "open"),
])  # fmt: skip
def test_a_bank_that_asks_is_answered_before_money_comes(scene, outcome, agreed, state):
    page = scene.topup()
    scene.pay(page.session, outcome)
    asked = scene.gateway.fetch_payment(page.session)
    scene.authenticate(page.session, agreed=agreed)
    answered = scene.gateway.fetch_payment(page.session)

    assert (asked.state, asked.captured) == ("open", 0)
    assert (answered.state, answered.captured) == (state, 10_000 if state == "succeeded" else 0)


def test_slow_money_is_processing_until_it_comes(scene):
    slow = scene.paid(outcome="slow")
    scene.passes(MINUTE)
    come = scene.gateway.fetch_payment(slow.intent)

    assert (slow.state, slow.captured, slow.transactions) == ("processing", 0, ())
    assert (come.state, come.captured, [each.net for each in come.transactions]) == ("succeeded", 10_000, [9_680])


def test_a_page_that_nobody_pays_on_is_cancelled_after_a_day(scene):
    unpaid, refused = scene.topup(), scene.topup()
    scene.pay(refused.session, "declined")
    scene.passes(DAY)

    assert [scene.gateway.fetch_payment(each.session).state for each in (unpaid, refused)] == ["cancelled", "cancelled"]


def test_a_method_is_saved_only_when_that_was_asked_and_is_charged_without_the_buyer(scene):
    method = scene.saved()
    key = a_key()
    paid = scene.charge(method, 5_000, key=key)

    assert scene.paid(save=False).method == ""
    assert (paid.state, paid.captured, paid.key, paid.session, paid.method) == ("succeeded", 5_000, key, "", method)
    assert [each.fee for each in paid.transactions] == [175]
    assert scene.gateway.fetch_payment(paid.intent) == paid


def test_a_saved_card_that_wants_its_owner_is_declined_while_they_are_away_and_says_so_again(scene):
    method, key = scene.saved("3ds_ok"), a_key()

    for _ in range(2):
        with pytest.raises(GatewayDeclined) as refused:
            scene.charge(method, key=key)
        assert refused.value.reason == "authentication_required"

    failed = scene.gateway.find_by_key(op="charge_saved", key=key, params={})
    assert failed is not None
    found = scene.gateway.fetch_payment(failed)
    assert (found.state, found.reason, found.captured) == ("failed", "authentication_required", 0)


def test_a_refund_goes_back_in_parts_and_never_beyond_what_came(scene):
    paid, key = scene.paid(10_000), a_key()
    first = scene.gateway.create_refund(key=key, intent=paid.intent, amount=4_000)
    with pytest.raises(GatewayInvalid):
        scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=6_001)
    scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=6_000)
    with pytest.raises(GatewayDeclined) as refused:
        scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=1)

    assert (first.state, first.intent, first.key, first.amount, first.asset) == (
        "succeeded", paid.intent, key, 4_000, "USD",
    )  # fmt: skip
    assert [(each.kind, each.source, each.net) for each in first.transactions] == [("refund", first.id, -4_000)]
    assert refused.value.reason == "charge_already_refunded"
    assert scene.gateway.fetch_payment(paid.intent).refunded == 10_000


def test_a_refund_that_the_bank_sends_back_fails_late_and_gives_the_money_back(scene):
    paid = scene.paid(10_000)
    refund = scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=4_000)
    scene.bank_returns(refund.id)
    failed = scene.gateway.fetch_refund(refund.id)

    assert (failed.state, failed.reason) == ("failed", "expired_or_canceled_card")
    assert [(each.kind, each.source, each.net) for each in failed.transactions] == [
        ("refund", refund.id, -4_000),
        ("refund_failure", refund.id, 4_000),
    ]
    assert scene.gateway.fetch_payment(paid.intent).refunded == 0


def test_the_same_key_gets_the_same_answer_and_moves_nothing_more(scene):
    key = a_key()
    first = scene.topup(10_000, key=key)
    scene.pay(first.session, "ok")
    intent = scene.gateway.fetch_payment(first.session).intent
    refund_key = a_key()
    refund = scene.gateway.create_refund(key=refund_key, intent=intent, amount=4_000)
    moves = scene.moves()

    assert scene.topup(10_000, key=key) == first
    assert scene.gateway.create_refund(key=refund_key, intent=intent, amount=4_000) == refund
    assert scene.moves() == moves


def test_the_same_key_with_other_parameters_is_refused_and_moves_nothing(scene):
    key = a_key()
    scene.topup(10_000, key=key)
    paid, refund_key = scene.paid(), a_key()
    scene.gateway.create_refund(key=refund_key, intent=paid.intent, amount=4_000)
    moves = scene.moves()

    with pytest.raises(GatewayInvalid):
        scene.topup(10_001, key=key)
    with pytest.raises(GatewayInvalid):
        scene.gateway.create_refund(key=refund_key, intent=paid.intent, amount=4_001)
    assert scene.moves() == moves


def test_after_a_day_a_key_is_forgotten_but_what_it_made_is_found(scene):
    paid, key = scene.paid(), a_key()
    refund = scene.gateway.create_refund(key=key, intent=paid.intent, amount=100)
    scene.passes(DAY)
    found = scene.gateway.find_by_key(op="create_refund", key=key, params={"intent": paid.intent, "amount": 100})
    again = scene.gateway.create_refund(key=key, intent=paid.intent, amount=100)

    assert found == refund.id
    assert again.id != refund.id
    assert scene.gateway.fetch_payment(paid.intent).refunded == 200


def test_a_topup_is_found_by_its_key_whether_paid_or_not(scene):
    key, paid_key = a_key(), a_key()
    page, paid = scene.topup(key=key), scene.topup(key=paid_key)
    scene.pay(paid.session, "ok")
    soon = [scene.gateway.find_by_key(op="create_topup", key=each, params={}) for each in (key, paid_key, a_key())]
    scene.passes(5 * DAY)
    late = scene.gateway.find_by_key(op="create_topup", key=paid_key, params={})

    assert soon == [page.session, paid.session, None]
    assert late == paid.session


def test_what_is_not_there_is_no_reason_to_try_again(scene):
    for fetch in (
        lambda: scene.gateway.fetch_payment("pi_nothing"),
        lambda: scene.gateway.fetch_payment("cs_test_nothing"),
        lambda: scene.gateway.fetch_refund("re_nothing"),
        lambda: scene.gateway.fetch_payee("acct_nothing"),
        lambda: scene.gateway.fetch_transfer("tr_nothing"),
        lambda: scene.gateway.fetch_dispute("du_nothing"),
        lambda: scene.gateway.fetch_payout("po_nothing"),
    ):
        with pytest.raises(GatewayInvalid):
            fetch()


def test_every_amount_from_one_to_nine_comes_back_as_it_went(scene):
    for amount in range(1, 10):
        paid = scene.paid(amount)
        assert (paid.amount, paid.captured) == (amount, amount)
        refund = scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=amount)
        assert refund.amount == amount


def test_a_page_answers_to_the_interface(scene):
    assert isinstance(scene.topup(), TopupPage)
    assert scene.gateway.livemode is False
    assert scene.gateway.movable(op="create_topup", asset="USD", amount=1_234) == 1_234


def test_a_replay_after_things_went_on_still_says_what_was_answered_first(scene):
    method, key = scene.saved("slow"), a_key()
    first = scene.charge(method, key=key)
    scene.passes(MINUTE)

    assert first.state == "processing"
    assert replace(scene.charge(method, key=key)) == first
    assert scene.gateway.fetch_payment(first.intent).state == "succeeded"
