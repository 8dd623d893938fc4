"""The contract of every processor: payees, transfers and their reversals."""

from datetime import timedelta

import pytest

from marketplace.ledger.gateways.base import GatewayDeclined, GatewayInvalid
from tests.ledger.gateways.scene import HERE, THERE, a_key


def test_a_payee_is_enabled_once_it_has_told_everything(scene):
    payee = scene.payee()
    scene.onboard(payee.id, "incomplete")
    partly = scene.gateway.fetch_payee(payee.id)
    scene.onboard(payee.id)
    wholly = scene.gateway.fetch_payee(payee.id)

    assert (payee.enabled, payee.submitted, "tos_acceptance.date" in payee.missing) == (False, False, True)
    assert (partly.enabled, partly.submitted, partly.missing) == (False, True, ("individual.verification.document",))
    assert (wholly.enabled, wholly.submitted, wholly.missing) == (True, True, ())


def test_a_payees_page_has_an_address_that_is_new_each_time(scene):
    payee = scene.payee()
    links = {scene.gateway.payee_link(payee=payee.id, return_url=HERE, refresh_url=THERE) for _ in range(2)}

    assert len(links) == 2
    assert all(link.startswith("http") for link in links)


def test_a_payee_is_made_once_for_a_key_and_found_by_it(scene):
    key = a_key()
    payee = scene.payee(key=key)

    assert scene.payee(key=key) == payee
    assert scene.gateway.find_by_key(op="create_payee", key=key, params={}) == payee.id


def test_a_transfer_takes_from_the_balance_and_says_where_it_went(scene):
    scene.paid(10_000)
    payee, key = scene.enabled_payee(), a_key()
    transfer = scene.transfer(payee, 1_608, key=key, group="pay_1")

    assert (transfer.payee, transfer.key, transfer.group, transfer.asset) == (payee, key, "pay_1", "USD")
    assert (transfer.amount, transfer.reversed, transfer.reversals) == (1_608, 0, ())
    assert scene.moves()[-1] == ("transfer", transfer.id, -1_608, 0, -1_608)
    assert scene.gateway.fetch_transfer(transfer.id) == transfer
    params = {"payee": payee, "asset": "USD", "amount": 1_608, "group": "pay_1"}
    assert scene.gateway.find_by_key(op="create_transfer", key=key, params=params) == transfer.id
    assert scene.gateway.find_by_key(op="create_transfer", key=a_key(), params=params) is None


def test_a_transfer_beyond_the_balance_is_declined_for_its_key_and_goes_with_another_later(scene):
    payee, key = scene.enabled_payee(), a_key()
    with pytest.raises(GatewayDeclined) as refused:
        scene.transfer(payee, 1_608, key=key)
    assert (refused.value.reason, scene.moves()) == ("balance_insufficient", [])

    scene.paid(10_000)
    with pytest.raises(GatewayDeclined):
        scene.transfer(payee, 1_608, key=key)
    assert scene.transfer(payee, 1_608).amount == 1_608


def test_the_whole_balance_can_be_transferred_and_not_one_more(scene):
    scene.paid(10_000)
    payee = scene.enabled_payee()
    with pytest.raises(GatewayDeclined):
        scene.transfer(payee, 9_681)
    scene.transfer(payee, 9_680)

    assert sum(net for *_, net in scene.moves()) == 0


def test_nothing_is_transferred_to_a_payee_that_is_not_enabled(scene):
    scene.paid(10_000)
    with pytest.raises(GatewayDeclined) as refused:
        scene.transfer(scene.payee().id)

    assert refused.value.reason == "insufficient_capabilities_for_transfer"
    assert [kind for kind, *_ in scene.moves()] == ["charge"]


def test_a_transfer_comes_back_in_parts_and_never_more_than_went(scene):
    scene.paid(10_000)
    transfer, key = scene.transfer(scene.enabled_payee(), 1_608), a_key()
    part = scene.gateway.reverse_transfer(key=key, transfer=transfer.id, amount=600)
    again = scene.gateway.reverse_transfer(key=key, transfer=transfer.id, amount=600)
    with pytest.raises(GatewayInvalid):
        scene.gateway.reverse_transfer(key=a_key(), transfer=transfer.id, amount=1_009)
    whole = scene.gateway.reverse_transfer(key=a_key(), transfer=transfer.id, amount=1_008)

    [(first, amount)] = part.reversals
    assert (part.reversed, amount, again) == (600, 600, part)
    assert (whole.reversed, {amount for _, amount in whole.reversals}) == (1_608, {600, 1_008})
    assert ("transfer_reversal", first, 600, 0, 600) in scene.moves()
    params = {"transfer": transfer.id, "amount": 600}
    assert scene.gateway.find_by_key(op="reverse_transfer", key=key, params=params) == first


def test_more_reversals_than_fit_on_one_page_are_all_told(scene):
    scene.paid(10_000)
    transfer = scene.transfer(scene.enabled_payee(), 1_608)
    for _ in range(12):
        scene.gateway.reverse_transfer(key=a_key(), transfer=transfer.id, amount=1)

    told = scene.gateway.fetch_transfer(transfer.id)
    assert (told.reversed, len(told.reversals)) == (12, 12)


def test_a_reversal_is_new_once_its_key_is_forgotten(scene):
    scene.paid(10_000)
    transfer, key = scene.transfer(scene.enabled_payee(), 1_608), a_key()
    scene.gateway.reverse_transfer(key=key, transfer=transfer.id, amount=600)
    scene.passes(timedelta(hours=24))

    assert scene.gateway.reverse_transfer(key=key, transfer=transfer.id, amount=600).reversed == 1_200
