"""Objecting to a charge on pages: until it matures, once, and what the operator decided comes back to its buyer."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.services import add_member
from marketplace.booking.models import ChargeLine, ServiceCredit, UsageDispute
from marketplace.common.clock import utc_now
from marketplace.ledger.wallets import wallet_of
from tests.booking.contracts import Deal
from tests.frontend.stage import signed_in, text_of
from tests.ledger.cashier import MONEY
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db
DESK = "/admin/money/objections/"


@pytest.fixture(autouse=True)
def _one_factor(settings):
    settings.REQUIRE_OPERATOR_MFA = False


def charged(now):
    """1000 charged at `now`: 880 for the provider, 120 for the market."""
    deal = Deal(units=1, hours=1, rate_mm=1_000_000)
    deal.use(3_600)
    return deal.charge(now=now)


@pytest.fixture
def line():
    return charged(utc_now())


@pytest.fixture
def buyer(line):
    return signed_in(line.contract.buyer, Role.BUYER)


def at_the_desk(role):
    user = User.objects.create_user(f"{role}@example.test", "a long password")
    add_member(organization=make_organization(), user=user, role=role, now=NOON)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator():
    return at_the_desk(Role.OPERATOR)


def object_to(client, line, **changes):
    form = {"reason": "not_delivered", "text": "It stood still.", "request_key": "key_a"} | changes
    return client.post(f"/objections/{line.public_id}/", form, follow=True)


def decide(client, do="uphold", **changes):
    row = UsageDispute.objects.get()
    form = {"do": do, "credit": "1.00", "decision": "The log agrees."} | changes
    return client.post(f"{DESK}{row.public_id}/", form, follow=True)


def available(line):
    return wallet_of(organization=line.contract.buyer, **MONEY).available


def test_a_charge_that_has_not_matured_may_be_objected_to(buyer, line):
    page = buyer.get("/objections/")

    assert f"/objections/{line.public_id}/" in page.content.decode()
    assert "$10.00" in text_of(buyer.get(f"/objections/{line.public_id}/"))


def test_an_objection_is_made_once_and_the_charge_waits(buyer, line):
    first, again = (object_to(buyer, line) for _ in range(2))

    assert "the provider is not paid for it" in text_of(first)
    assert again.status_code == 200
    assert UsageDispute.objects.get().text == "It stood still."
    line.refresh_from_db()
    assert line.frozen
    told = text_of(buyer.get("/objections/"))
    assert "It was not delivered" in told
    assert "The operator decides" in told
    assert "None now." in told


@pytest.mark.parametrize("changes", [{"reason": ""}, {"reason": "a whim"}, {"text": "x" * 1_001}])
def test_an_objection_without_a_known_reason_or_too_long_is_said_at_the_form(buyer, line, changes):
    assert object_to(buyer, line, **changes).status_code == 422

    assert not UsageDispute.objects.exists()


def test_a_charge_that_has_matured_says_so_instead_of_a_form():
    line = charged(utc_now() - timedelta(days=8))
    buyer = signed_in(line.contract.buyer, Role.BUYER)

    assert "Nobody can object to it any more" in text_of(buyer.get(f"/objections/{line.public_id}/"))
    assert object_to(buyer, line).status_code == 422
    assert not UsageDispute.objects.exists()


def test_another_organizations_charge_is_not_there(line):
    stranger = signed_in(make_organization("Stranger"), Role.BUYER)

    assert object_to(stranger, line).status_code == 404
    assert line.public_id not in stranger.get("/objections/").content.decode()


def test_upheld_its_credit_is_in_the_wallet_and_its_buyer_reads_why(buyer, line, operator):
    object_to(buyer, line)
    before = available(line)
    assert "It stood still." in text_of(operator.get(DESK))

    told = text_of(decide(operator))

    assert "Upheld; the credit is in the wallet." in told
    assert available(line) == before + 100
    page = text_of(buyer.get("/objections/"))
    assert "The log agrees." in page
    assert "$1.00" in page


def test_refused_nothing_comes_back_and_the_charge_matures(buyer, line, operator):
    object_to(buyer, line)

    decide(operator, do="refuse", credit="")

    line.refresh_from_db()
    assert (UsageDispute.objects.get().state, line.frozen, ServiceCredit.objects.count()) == ("refused", False, 0)


@pytest.mark.parametrize("changes", [{"credit": "10.01"}, {"credit": "0"}, {"credit": "much"}, {"decision": " "}])
def test_a_credit_beyond_the_charge_or_of_nothing_or_without_a_word_decides_nothing(buyer, line, operator, changes):
    object_to(buyer, line)

    decide(operator, **changes)

    assert (UsageDispute.objects.get().state, ServiceCredit.objects.count()) == ("open", 0)


def test_only_operators_decide(buyer, line):
    object_to(buyer, line)
    auditor = at_the_desk(Role.AUDITOR)

    assert auditor.get(DESK).status_code == 200
    assert "Uphold" not in text_of(auditor.get(DESK))
    assert decide(auditor).status_code == 403
    decide(buyer)

    assert (UsageDispute.objects.get().state, ChargeLine.objects.get().frozen) == ("open", True)


def test_the_money_page_counts_what_waits_for_a_decision(buyer, line, operator):
    object_to(buyer, line)

    assert "Objections to charges 1 decide them" in text_of(operator.get("/admin/money/"))
