"""A processor is never called inside a database transaction."""

import pytest
from django.db import transaction

from marketplace.common.outside import CallInsideTransaction, assert_outside_transaction
from marketplace.ledger.gateways.sandbox_models import SandboxSession
from tests.ledger.gateways.scene import HERE
from tests.market import NOON


def every_call(gateway):
    yield lambda: gateway.create_topup(
        key="jm_1", asset="USD", amount=500, customer="org_1", save_method=False, success_url=HERE, cancel_url=HERE
    )
    yield lambda: gateway.charge_saved(key="jm_2", asset="USD", amount=500, customer="org_1", method="pm_1")
    yield lambda: gateway.fetch_payment("pi_1")
    yield lambda: gateway.fetch_payment("cs_test_1")
    yield lambda: gateway.create_refund(key="jm_3", intent="pi_1", amount=1)
    yield lambda: gateway.fetch_refund("re_1")
    yield lambda: gateway.create_payee(key="jm_4", organization="org_2", country="DE", email="a@example.test")
    yield lambda: gateway.payee_link(payee="acct_1", return_url=HERE, refresh_url=HERE)
    yield lambda: gateway.fetch_payee("acct_1")
    yield lambda: gateway.create_transfer(key="jm_5", payee="acct_1", asset="USD", amount=1, group="g")
    yield lambda: gateway.reverse_transfer(key="jm_6", transfer="tr_1", amount=1)
    yield lambda: gateway.fetch_transfer("tr_1")
    yield lambda: gateway.fetch_dispute("du_1")
    yield lambda: gateway.fetch_payout("po_1")
    yield lambda: gateway.find_by_key(
        op="create_transfer", key="jm_5", params={"payee": "acct_1", "asset": "USD", "amount": 1, "group": "g"}
    )
    yield lambda: list(gateway.balance_transactions(NOON.date()))
    yield lambda: list(gateway.events_since(NOON))


def test_every_call_inside_a_transaction_is_refused_and_does_nothing(scene):
    for call in every_call(scene.gateway):
        with transaction.atomic(), pytest.raises(CallInsideTransaction):
            call()

    assert SandboxSession.objects.count() == 0


def test_a_transaction_begun_by_hand_is_one_as_well(committed):
    transaction.set_autocommit(False)
    try:
        with pytest.raises(CallInsideTransaction):
            assert_outside_transaction()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


@pytest.mark.django_db
def test_what_a_test_is_wrapped_in_is_none_but_what_it_begins_itself_is():
    assert_outside_transaction()
    with transaction.atomic(), pytest.raises(CallInsideTransaction):
        assert_outside_transaction()
