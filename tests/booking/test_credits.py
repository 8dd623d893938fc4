"""Service credits: a part of what was charged and of what was not delivered, out of the shares that had it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from marketplace.booking.charging import Span
from marketplace.booking.credits import credit_interruption, give_credit
from marketplace.booking.models import ChargeLine, ServiceCredit
from marketplace.events.models import Event
from marketplace.ledger.models import Account, Journal
from tests.booking.contracts import Deal
from tests.market import NOON

pytestmark = pytest.mark.django_db


def of(deal, *kinds):
    """Balances of the deal's provider and of the market."""
    found = {each.kind: each.summed for each in Account.objects.with_sum() if each.owner_id != deal.buyer.pk}
    return [found.get(kind, 0) for kind in kinds]


def spendable(deal):
    return Account.objects.get(owner=deal.buyer, kind="buyer_available").balance


@transaction.atomic
def interrupt(deal, *, ran_s=0, subject="att_1"):
    ran = [Span(NOON, NOON + timedelta(seconds=ran_s), deal.contract.units)] if ran_s else []
    deal.post(credit_interruption(part=deal.part, subject=subject, delivered=ran, livemode=False, now=NOON))


@transaction.atomic
def credit_on_charges(deal, amount, base=1_000, more=0):
    lines = list(ChargeLine.objects.select_for_update())
    deal.post(
        give_credit(
            kind="usage_dispute", subject="chl_1", contract=deal.contract, lines=lines, base=base,
            amount=amount + more, on_charges=amount, livemode=False, now=NOON,
        )
    )  # fmt: skip


@pytest.fixture
def charged():
    """1000 charged: 880 for the provider, 120 for the market."""
    deal = Deal(units=1, hours=1, rate_mm=1_000_000)
    deal.use(3_600)
    line = deal.charge()
    assert (line.provider_minor, line.fee_minor) == (880, 120)
    return deal


def test_a_tenth_of_a_charge_comes_back_in_its_own_shares(charged):
    before = spendable(charged)

    credit_on_charges(charged, 100)

    assert spendable(charged) == before + 100
    assert of(charged, "provider_pending", "platform_fee", "provider_receivable") == [792, 108, 0]
    assert ChargeLine.objects.get().pending_left == 792


def test_the_part_for_time_that_was_not_delivered_is_the_providers(charged):
    credit_on_charges(charged, 100, base=1_500, more=50)

    row = ServiceCredit.objects.get()
    assert (row.base_minor, row.amount_minor, row.provider_minor, row.fee_minor) == (1_500, 150, 138, 12)


def test_what_was_paid_out_already_is_owed_by_the_provider(charged):
    ChargeLine.objects.update(pending_left=0, matured_at=NOON)

    credit_on_charges(charged, 100)

    assert of(charged, "provider_receivable", "platform_fee") == [88, 108]


def test_a_promise_that_never_started_is_credited_by_the_provider_alone():
    deal = Deal()
    before = spendable(deal)

    interrupt(deal)

    assert spendable(deal) == before + 238
    assert of(deal, "provider_receivable", "platform_fee") == [238, 0]
    event = Event.objects.get(type="credit.issued")
    assert (event.buyer, event.provider, event.facts["amount_minor"]) == (deal.buyer, deal.provider, 238)


def test_time_that_was_delivered_earns_no_credit():
    deal = Deal()

    interrupt(deal, ran_s=2 * 3_600)

    assert ServiceCredit.objects.get().base_minor == 796


def test_the_same_interruption_is_credited_once():
    deal = Deal()
    interrupt(deal)
    before = spendable(deal)

    interrupt(deal)

    assert spendable(deal) == before
    assert ServiceCredit.objects.count() == Journal.objects.filter(kind="sla_credit").count() == 1


def test_nothing_is_credited_for_what_cost_nothing():
    deal = Deal(rate_mm=0)

    interrupt(deal)

    assert not ServiceCredit.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE booking_servicecredit SET amount_minor = 1",
        "DELETE FROM booking_servicecredit",
        """INSERT INTO booking_servicecredit (public_id, buyer_id, kind, subject, asset, livemode, base_minor,
               amount_minor, fee_minor, tax_minor, provider_minor, facts, created_at)
           SELECT 'crd_x', buyer_id, kind, subject, asset, livemode, base_minor,
               amount_minor, fee_minor, tax_minor, provider_minor, facts, created_at FROM booking_servicecredit""",
        """INSERT INTO booking_servicecredit (public_id, buyer_id, kind, subject, asset, livemode, base_minor,
               amount_minor, fee_minor, tax_minor, provider_minor, facts, created_at)
           SELECT 'crd_x', buyer_id, kind, 'other', asset, livemode, base_minor,
               amount_minor, fee_minor, tax_minor, provider_minor - 1, facts, created_at FROM booking_servicecredit""",
    ],
)
def test_sql_cannot_change_or_double_a_credit_or_share_it_otherwise(statement):
    interrupt(Deal())

    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert ServiceCredit.objects.get().amount_minor == 238
