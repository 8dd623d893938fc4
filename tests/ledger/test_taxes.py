"""Rules of taxes: which one holds on a day, one at a time, ended and never rewritten."""

from datetime import date

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from marketplace.events.models import Event
from marketplace.ledger.models import BillingDetails, TaxRule
from marketplace.ledger.taxes import add_rule, end_rule, is_business, rule_for, tax_bp_for
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db
SUMMER = date(2026, 7, 1)


def make_rule(**fields):
    values = {
        "seller_country": "DE", "buyer_country": "DE", "business": False, "tax_bp": 1_900, "text": "VAT 19 %",
        "valid_from": date(2026, 1, 1),
    }  # fmt: skip
    return add_rule(rule=TaxRule(**(values | fields)), now=NOON, actor="test")


def bp(on, **fields):
    asked = {"seller_country": "DE", "buyer_country": "DE", "business": False}
    return tax_bp_for(**(asked | fields), on=on)


def test_a_rule_holds_from_its_first_day_until_before_its_last():
    make_rule(valid_to=SUMMER)
    make_rule(valid_from=SUMMER, tax_bp=1_600, text="VAT 16 %")

    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), SUMMER, date(2040, 1, 1))
    assert [bp(day) for day in days] == [0, 1_900, 1_900, 1_600, 1_600]


def test_without_a_rule_the_markets_own_tax_holds(settings):
    settings.TAX_BP = 600
    make_rule(buyer_country="FR", business=True, tax_bp=0, text="Reverse charge")

    assert bp(SUMMER) == 600
    assert bp(SUMMER, buyer_country="FR") == 600
    assert bp(SUMMER, buyer_country="FR", business=True) == 0
    assert bp(SUMMER, seller_country="", buyer_country="") == 600


def test_two_rules_never_hold_at_once_but_those_for_others_do():
    make_rule()
    for other in ({"business": True}, {"buyer_country": "FR"}, {"seller_country": "FR"}):
        make_rule(**other)

    with pytest.raises(IntegrityError, match="tax_rule_once_at_a_time"), transaction.atomic():
        make_rule(valid_from=SUMMER)
    assert TaxRule.objects.count() == 4


def test_every_pair_of_countries_is_another_key():
    """The countries are one number to the constraint; mixed up, one of these would meet another."""
    for seller, buyer in (("AB", "CD"), ("CD", "AB"), ("AC", "BD"), ("BA", "CD"), ("AB", "DC"), ("AB", "CE")):
        make_rule(seller_country=seller, buyer_country=buyer)
        make_rule(seller_country=seller, buyer_country=buyer, business=True)

    assert TaxRule.objects.count() == 12


def test_a_rule_is_ended_once_and_an_event_says_by_whom():
    rule = make_rule()
    end_rule(rule=rule, valid_to=SUMMER, now=NOON, actor="person:1")
    end_rule(rule=rule, valid_to=SUMMER, now=NOON, actor="person:2")

    events = Event.objects.filter(object_id=rule.public_id).values_list("type", "facts__actor", "facts__valid_to")
    assert list(events) == [("tax_rule.added", "test", None), ("tax_rule.ended", "person:1", "2026-07-01")]


def test_a_rule_that_ends_as_it_begins_never_holds_and_leaves_room_for_a_right_one():
    wrong = make_rule(tax_bp=190)
    end_rule(rule=wrong, valid_to=wrong.valid_from, now=NOON, actor="test")
    make_rule()

    assert bp(SUMMER) == 1_900
    assert rule_for(seller_country="DE", buyer_country="DE", business=False, on=wrong.valid_from) != wrong


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_taxrule SET tax_bp = 0", "UPDATE ledger_taxrule SET text = 'none'",
        "UPDATE ledger_taxrule SET valid_from = '2020-01-01'", "DELETE FROM ledger_taxrule",
        "UPDATE ledger_taxrule SET valid_to = '2025-01-01'",
    ],
)  # fmt: skip
def test_no_statement_rewrites_a_rule(change):
    make_rule()
    refused = pytest.raises(DatabaseError, match=r"Cannot|tax_rule_ends_later")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.mark.parametrize("fields", [{"seller_country": "de"}, {"buyer_country": ""}, {"tax_bp": 5_001}, {"text": ""}])
def test_what_is_no_rule_is_refused(fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_rule(**fields)


def test_a_buyer_with_a_tax_number_is_a_business():
    business, person = make_organization(), make_organization()
    BillingDetails.objects.create(organization=business, legal_name="A", tax_id="DE1", updated_at=NOON)
    BillingDetails.objects.create(organization=person, legal_name="B", updated_at=NOON)

    assert (is_business(business), is_business(person), is_business(make_organization())) == (True, False, False)
