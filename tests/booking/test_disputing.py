"""Objections to charges: the line waits, an operator decides, and a credit comes out of the charge's own shares."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from marketplace.booking.disputing import decide, open_dispute
from marketplace.booking.errors import DisputeWindowClosed
from marketplace.booking.maturing import mature_lines
from marketplace.booking.models import ChargeLine, ServiceCredit, UsageDispute
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.ledger.models import Account
from tests.booking.contracts import Deal
from tests.market import NOON, key_of, make_organization

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(days=8)


@pytest.fixture
def deal():
    """1000 charged: 880 for the provider, 120 for the market."""
    deal = Deal(units=1, hours=1, rate_mm=1_000_000)
    deal.use(3_600)
    deal.charge()
    return deal


def dispute(deal, *, reason="not_delivered", now=NOON):
    return open_dispute(line=ChargeLine.objects.get(), buyer=deal.buyer, reason=reason, text="It stood.", now=now)


def judge(row, credit_minor):
    return decide(dispute=row, credit_minor=credit_minor, decision="Seen.", decided_by="usr_1", now=NOON)


def payable():
    return Account.objects.get(kind="provider_payable").balance


def test_a_disputed_line_does_not_mature_and_no_clock_ends_the_dispute(deal):
    dispute(deal)

    assert mature_lines(now=LATER) == mature_lines(now=LATER + timedelta(days=365)) == 0

    assert ChargeLine.objects.get().frozen


def test_upheld_it_is_a_credit_and_the_rest_matures(deal):
    row = judge(dispute(deal), 100)

    mature_lines(now=LATER)

    credit = ServiceCredit.objects.get()
    assert (row.state, row.credit, credit.fee_minor, credit.provider_minor) == ("upheld", credit, 12, 88)
    assert payable() == 792


def test_the_whole_charge_may_come_back(deal):
    judge(dispute(deal), 1_000)

    mature_lines(now=LATER)

    assert ServiceCredit.objects.get().amount_minor == 1_000
    assert not Account.objects.filter(kind="provider_payable", balance__gt=0).exists()


def test_refused_the_line_matures_whole(deal):
    row = judge(dispute(deal), 0)

    mature_lines(now=LATER)

    assert (row.state, payable(), ServiceCredit.objects.count()) == ("refused", 880, 0)


def test_what_has_matured_is_disputed_no_more(deal):
    mature_lines(now=LATER)

    with pytest.raises(DisputeWindowClosed):
        dispute(deal, now=LATER)

    assert not UsageDispute.objects.exists()


def test_a_line_whose_time_has_come_is_disputed_no_more_even_before_it_is_worked_on(deal):
    with pytest.raises(DisputeWindowClosed):
        dispute(deal, now=NOON + timedelta(days=7))


def test_a_charge_is_disputed_once_and_decided_once(deal):
    row = dispute(deal)
    with pytest.raises(IllegalState):
        dispute(deal)
    judge(row, 0)
    with pytest.raises(IllegalState):
        dispute(deal)
    with pytest.raises(IllegalState):
        judge(row, 100)

    assert not ServiceCredit.objects.exists()


@pytest.mark.parametrize("credit_minor", [-1, 1_001])
def test_a_credit_beyond_the_charge_is_refused(deal, credit_minor):
    row = dispute(deal)

    with pytest.raises(ValidationFailed) as refusal:
        judge(row, credit_minor)

    assert refusal.value.problems[0].pointer == "/credit_minor"
    assert ChargeLine.objects.get().frozen


def test_an_unknown_reason_names_those_there_are(deal):
    with pytest.raises(ValidationFailed, match="no reason"):
        dispute(deal, reason="because")

    assert not ChargeLine.objects.get().frozen


def client_of(organization):
    _, secret = key_of(organization, "usage:write")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_a_buyer_disputes_over_http_and_sees_what_became_of_it(deal):
    client, line = client_of(deal.buyer), ChargeLine.objects.get()
    ChargeLine.objects.update(matures_at=LATER + timedelta(days=3650))

    made = client.post("/api/v1/disputes", {"charge_line": line.public_id, "reason": "wrong_quantity"}, format="json")
    judge(UsageDispute.objects.get(), 100)

    assert made.status_code == 201
    [told] = client.get("/api/v1/disputes").json()["data"]
    assert (told["state"], told["credit_minor"], told["decision"]) == ("upheld", 100, "Seen.")


def test_anothers_charge_is_not_there(deal):
    line = ChargeLine.objects.get().public_id

    answer = client_of(make_organization()).post(
        "/api/v1/disputes", {"charge_line": line, "reason": "not_ordered"}, format="json"
    )

    assert answer.status_code == 404
    assert not UsageDispute.objects.exists()
