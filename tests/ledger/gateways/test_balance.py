"""The contract of every processor: disputes, payouts, the balance of a day, and what it tells."""

from datetime import timedelta

import pytest

from marketplace.ledger.gateways.base import GatewayDeclined
from tests.ledger.gateways.scene import a_key

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def test_a_dispute_takes_the_money_with_a_fee_and_winning_brings_back_all_but_the_fee(scene):
    paid = scene.paid(10_000, outcome="then_dispute")
    scene.passes(MINUTE)
    name = next(each.object_id for each in scene.told() if each.subject == "dispute")
    opened = scene.gateway.fetch_dispute(name)
    scene.decide(name, won=True)
    won = scene.gateway.fetch_dispute(name)

    assert (opened.state, opened.intent, opened.asset, opened.amount, opened.reason) == (
        "open", paid.intent, "USD", 10_000, "fraudulent",
    )  # fmt: skip
    taken = ("dispute", name, -10_000, 1_500, -11_500)
    assert facts(opened.transactions) == [taken]
    assert (won.state, facts(won.transactions)) == (
        "won", [taken, ("dispute_reversal", name, 10_000, 0, 10_000)],
    )  # fmt: skip
    assert sum(net for *_, net in scene.moves()) == 9_680 - 1_500


def test_a_lost_dispute_moves_nothing_more(scene):
    name = scene.dispute(scene.paid(10_000).intent)
    before = scene.moves()
    scene.decide(name, won=False)

    assert scene.gateway.fetch_dispute(name).state == "lost"
    assert scene.moves() == before


def test_an_inquiry_moves_nothing_until_it_becomes_a_dispute(scene):
    paid = scene.paid(10_000)
    name = scene.dispute(paid.intent, inquiry=True)
    asked, moves = scene.gateway.fetch_dispute(name), scene.moves()
    scene.escalate(name)
    opened = scene.gateway.fetch_dispute(name)

    assert (asked.state, asked.transactions, [kind for kind, *_ in moves]) == ("inquiry", (), ["charge"])
    assert (opened.state, [each.net for each in opened.transactions]) == ("open", [-11_500])


def test_an_inquiry_that_ends_there_stays_an_inquiry(scene):
    name = scene.dispute(scene.paid(10_000).intent, inquiry=True)
    scene.decide(name, won=True)

    assert scene.gateway.fetch_dispute(name).state == "inquiry"
    assert [kind for kind, *_ in scene.moves()] == ["charge"]


def test_what_was_refunded_is_not_disputed_and_what_is_disputed_is_not_refunded(scene):
    paid = scene.paid(10_000)
    scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=4_000)
    name = scene.dispute(paid.intent)
    with pytest.raises(GatewayDeclined) as refused:
        scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=1)

    assert scene.gateway.fetch_dispute(name).amount == 6_000
    assert refused.value.reason == "charge_disputed"


@pytest.mark.parametrize(("how", "won"), [({"inquiry": True}, None), ({"inquiry": True}, False), ({}, True)])
def test_an_inquiry_and_a_dispute_that_was_won_leave_the_payment_to_be_refunded(scene, how, won):
    paid = scene.paid(10_000)
    name = scene.dispute(paid.intent, **how)
    if won is not None:
        scene.decide(name, won=won)

    assert scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=10_000).state == "succeeded"


def test_what_was_lost_is_not_sent_back_once_more(scene):
    paid = scene.paid(10_000)
    scene.decide(scene.dispute(paid.intent), won=False)
    moves = scene.moves()
    with pytest.raises(GatewayDeclined):
        scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=1)

    assert scene.moves() == moves


def test_an_inquiry_that_becomes_a_dispute_takes_only_what_was_not_refunded(scene):
    paid = scene.paid(10_000)
    name = scene.dispute(paid.intent, inquiry=True)
    scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=4_000)
    scene.escalate(name)

    assert [each.amount for each in scene.gateway.fetch_dispute(name).transactions] == [-6_000]


def test_a_payout_leaves_the_balance_and_comes_back_when_the_bank_refuses(scene):
    scene.paid(10_000)
    good, bad = scene.pay_out(5_000), scene.pay_out(4_680)
    on_the_way = scene.gateway.fetch_payout(good)
    scene.arrive(good, at_the_bank=True)
    scene.arrive(bad, at_the_bank=False)

    assert (on_the_way.state, on_the_way.amount, on_the_way.asset) == ("pending", 5_000, "USD")
    assert [scene.gateway.fetch_payout(each).state for each in (good, bad)] == ["paid", "failed"]
    assert scene.moves()[1:] == [
        ("payout", good, -5_000, 0, -5_000),
        ("payout", bad, -4_680, 0, -4_680),
        ("payout", bad, 4_680, 0, 4_680),
    ]


def test_a_day_has_each_move_once_in_order_and_none_of_its_neighbours(scene):
    scene.clock.now = scene.clock.now.replace(hour=23, minute=59, second=59)
    first = scene.paid(10_000)
    scene.clock.now += timedelta(seconds=1)
    day = scene.clock.now.date()
    second = scene.paid(20_000)
    refund = scene.gateway.create_refund(key=a_key(), intent=first.intent, amount=1)
    today = list(scene.gateway.balance_transactions(day))
    yesterday = list(scene.gateway.balance_transactions(day - DAY))

    assert [(each.kind, each.source) for each in yesterday] == [("charge", first.intent)]
    assert [(each.kind, each.source) for each in today] == [("charge", second.intent), ("refund", refund.id)]
    assert [each.at for each in today] == [scene.clock.now] * 2
    assert len({each.id for each in (*today, *yesterday)}) == 3
    assert all(each.net == each.amount - each.fee for each in (*today, *yesterday))
    assert [each.id for each in second.transactions] == [today[0].id]


def test_a_long_day_is_told_to_its_end(scene):
    payee = scene.enabled_payee()
    scene.paid(1_000_000)
    for _ in range(105):
        scene.transfer(payee, 1)

    moves = scene.moves()
    assert (len(moves), len({source for _, source, *_ in moves})) == (106, 106)


def test_webhooks_and_the_list_of_events_tell_the_same(scene):
    start = scene.clock.now
    paid = scene.paid(10_000)
    refund = scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=4_000)
    scene.bank_returns(refund.id)
    dispute = scene.dispute(paid.intent)
    scene.paid(20_000)
    payout = scene.pay_out(1)

    told, listed = scene.told(), list(scene.gateway.events_since(start))

    assert told == listed
    for subject, name in (("payment", paid.intent), ("refund", refund.id), ("dispute", dispute), ("payout", payout)):
        assert (subject, name) in {(each.subject, each.object_id) for each in told}
    assert len({each.id for each in told}) == len(told)
    assert list(scene.gateway.events_since(start + timedelta(seconds=1))) == []


def test_many_events_are_listed_oldest_first_to_the_last(scene):
    payee = scene.enabled_payee()
    scene.paid(1_000_000)
    start = scene.clock.now
    made = []
    for _ in range(105):
        scene.clock.now += timedelta(seconds=1)
        made.append(scene.transfer(payee, 1).id)

    listed = [each.object_id for each in scene.gateway.events_since(start + timedelta(seconds=1))]
    assert listed == made


def test_what_a_page_says_is_told_as_its_payment(scene):
    page = scene.topup()
    unpaid = scene.topup()
    scene.pay(page.session, "ok")
    intent = scene.gateway.fetch_payment(page.session).intent
    scene.passes(DAY)
    told = {(each.type, each.subject, each.object_id) for each in scene.told()}

    assert ("checkout.session.completed", "payment", intent) in told
    assert ("checkout.session.expired", "payment", unpaid.session) in told


def test_a_payee_is_told_of_when_it_has_told_of_itself(scene):
    payee = scene.enabled_payee()

    assert [(each.type, each.subject, each.object_id) for each in scene.told()] == [("account.updated", "payee", payee)]


def facts(transactions):
    return [(each.kind, each.source, each.amount, each.fee, each.net) for each in transactions]
