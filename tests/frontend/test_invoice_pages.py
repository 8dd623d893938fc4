"""The buyers' pages of invoices: the list, one of them line by line, and whom they name."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import Role
from marketplace.booking.invoicing import issue_due
from marketplace.common.months import Month
from marketplace.ledger.models import BillingDetails, Invoice
from tests.billing import make_charge, make_contract, make_credit
from tests.frontend.stage import signed_in, text_of
from tests.market import MONDAY, make_organization

pytestmark = pytest.mark.django_db
CLOSED = Month(2026, 11).closes_at + timedelta(hours=2)


def bill(buyer, charges=1, **fields):
    contract = make_contract(buyer)
    for number in range(charges):
        make_charge(contract, 1_827, start=MONDAY + timedelta(minutes=number), seconds=60, **fields)
    make_credit(buyer, 182, contract=contract)
    [invoice] = issue_due(now=CLOSED, orders=lambda subjects: {})
    return invoice


def test_without_an_invoice_the_page_says_when_the_first_comes_and_offers_the_costs(browser):
    page = browser.get("/invoices/")

    assert "No invoice yet" in text_of(page)
    assert f"format=focus&amp;month={Month.of(CLOSED).year}" in page.content.decode()


def test_the_list_names_number_period_total_and_files(browser, buyer):
    invoice = bill(buyer, tax_minor=365)

    page = browser.get("/invoices/")

    assert f"{invoice.label} Invoice · test money" in text_of(page)
    for words in ("2026-11", "$3.65", "$20.10"):
        assert words in text_of(page)
    assert f"/api/v1/invoices/{invoice.public_id}/pdf" in page.content.decode()
    assert "Nothing of this kind" in text_of(browser.get("/invoices/?kind=credit_note"))


def test_an_invoice_shows_its_lines_its_tax_and_that_no_payment_was_made(browser, buyer):
    invoice = bill(buyer, tax_minor=365)

    text = text_of(browser.get(f"/invoices/{invoice.public_id}/"))

    assert "TEST: no payment was made" in text
    assert "H100 × 4" in text
    assert "Credit: interrupted by the provider" in text
    assert "−$1.82" in text
    assert "Net $16.45" in text
    assert "Total $20.10" in text


def test_live_money_has_no_test_band(browser, buyer, settings):
    settings.OPERATOR = settings.OPERATOR | {"name": "Exchange Ltd"}
    make_charge(make_contract(buyer), livemode=True)
    [invoice] = issue_due(now=CLOSED, orders=lambda subjects: {})

    text = text_of(browser.get(f"/invoices/{invoice.public_id}/"))

    assert "TEST" not in text
    assert "Exchange Ltd" in text
    assert "Paid from the prepaid wallet; nothing is due." in text


def test_many_lines_come_in_parts_and_a_strange_part_is_the_first(browser, buyer):
    path = f"/invoices/{bill(buyer, charges=60).public_id}/"

    first, rest = text_of(browser.get(path)), text_of(browser.get(f"{path}?from=50"))

    assert ("50. H100" in first, "51. H100" in first) == (True, False)
    assert ("50. H100" in rest, "51. H100" in rest) == (False, True)
    assert "Total" in rest
    for strange in ("-1", "x", "9" * 30):
        assert "1. H100" in text_of(browser.get(f"{path}?from={strange}"))


def test_it_is_there_in_chinese(browser, buyer):
    invoice = bill(buyer)
    browser.cookies["django_language"] = "zh-hans"

    page = text_of(browser.get(f"/invoices/{invoice.public_id}/"))

    assert "测试：未发生任何付款" in page
    assert f"发票 {invoice.label}" in page
    assert "单元小时" in page


def test_nobody_sees_anothers_invoice_or_a_draft(browser, buyer):
    other = bill(make_organization())

    assert browser.get(f"/invoices/{other.public_id}/").status_code == 404
    assert other.label not in text_of(browser.get("/invoices/"))
    assert Client().get(f"/invoices/{other.public_id}/").status_code == 302


DETAILS = {"legal_name": "Lab GmbH", "address": "Quay 2\n10115 Berlin", "tax_id": "DE1", "reference": "PO 7"}


def test_the_next_invoice_names_whom_the_buyer_wants_and_the_last_keeps_its_name(browser, buyer):
    before = bill(buyer)
    answer = browser.post("/invoices/details/", DETAILS, follow=True)
    make_charge(make_contract(buyer), created_at=CLOSED)
    [after] = issue_due(now=CLOSED + timedelta(days=40), orders=lambda subjects: {})

    assert "Saved" in text_of(answer)
    before.refresh_from_db()
    assert (before.buyer_facts["name"], after.buyer_facts["name"]) == ("Lab", "Lab GmbH")
    assert "Quay 2" in text_of(browser.get(f"/invoices/{after.public_id}/"))
    assert "Lab GmbH" in browser.get("/invoices/details/").content.decode()


def test_details_without_a_name_are_refused_beside_the_field(browser):
    answer = browser.post("/invoices/details/", DETAILS | {"legal_name": ""})

    assert "This field is required." in text_of(answer)
    assert not BillingDetails.objects.exists()


def test_a_member_who_only_looks_changes_no_details(buyer):
    auditor = signed_in(buyer, Role.AUDITOR)

    assert auditor.post("/invoices/details/", DETAILS).status_code == 403
    assert not BillingDetails.objects.exists()
    assert Invoice.objects.count() == 0
