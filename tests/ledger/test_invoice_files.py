"""The PDF, the CSV and the JSON of an invoice say the same, in both languages and for every kind of currency."""

import csv
import re
from io import BytesIO, StringIO

import pytest
from django.utils.translation import override
from pypdf import PdfReader

from marketplace.booking.invoicing import issue_due
from marketplace.common.currencies import to_major
from marketplace.common.months import Month
from marketplace.common.pdfsheet import REGULAR, Style, runs, wrapped
from marketplace.ledger.invoicepdf import amount, invoice_pdf
from marketplace.ledger.invoiceview import invoice_as_json, invoice_rows
from marketplace.ledger.models import BillingDetails, TaxRule
from marketplace.ledger.taxes import add_rule
from tests.billing import make_charge, make_contract, make_credit
from tests.market import MONDAY, NOON, make_offer, make_organization, make_site

pytestmark = pytest.mark.django_db
CLOSED = Month(2026, 12).closes_at


def invoiced(buyer, charges=2, currency="USD", livemode=False, **fields):
    """The JSON of the invoice of a month with so many charges and a credit."""
    site = make_site(name="淮河光伏园", locality="芜湖", country="CN")
    contract = make_contract(buyer, make_offer(site, currency=currency))
    for _ in range(charges):
        make_charge(contract, 123_456, tax_minor=24_691, livemode=livemode, **fields)
    make_credit(buyer, 182, contract=contract, asset=currency, livemode=livemode)
    [invoice] = issue_due(now=CLOSED, orders=lambda subjects: {})
    return invoice_as_json(invoice)


def read(pdf):
    """The text of each page, without line breaks and the spaces a table leaves."""
    return [re.sub(r"\s+", " ", page.extract_text()) for page in PdfReader(BytesIO(pdf)).pages]


@pytest.fixture
def buyer():
    buyer = make_organization("Rhine Lab")
    BillingDetails.objects.create(
        organization=buyer, legal_name="芜湖人工智能研究院", address="文津西路 1 号\n241000 芜湖", tax_id="91340200MA2",
        reference="PO 77", updated_at=NOON,
    )  # fmt: skip
    return buyer


@pytest.mark.parametrize(("currency", "each"), [("USD", "1,234.56"), ("JPY", "123,456"), ("KWD", "123.456")])
def test_the_pdf_says_what_the_json_says(buyer, settings, currency, each):
    settings.OPERATOR = {"name": "Exchange Ltd", "address": "Dock 1", "country": "DE", "tax_id": "DE123"}
    facts = invoiced(buyer, currency=currency)

    [text] = read(invoice_pdf(facts))

    for line in facts["lines"]:
        assert amount(line["amount_minor"], currency) in text
        assert line["facts"]["order"] in text
        if line["quantity"]:
            assert line["quantity"] in text
            assert line["unit_price"] in text
            assert line["facts"]["start"].replace("T", " ").rstrip("Z") in text
    assert text.count(each) == 2
    for name in ("net_minor", "tax_minor", "total_minor"):
        assert amount(facts[name], currency) in text
    assert f"{currency} {amount(facts['total_minor'], currency)}" in text
    for words in ("Exchange Ltd", "DE123", "芜湖人工智能研究院", "文津西路 1 号", "91340200MA2", "PO 77", "淮河光伏园"):
        assert words in text
    assert f"Invoice {facts['number']}" in text
    assert "2026-11-01 – 2026-11-30" in text


def test_test_money_says_so_on_every_page_in_both_languages(buyer):
    facts = invoiced(buyer, charges=30)
    with override("zh-hans"):
        chinese = read(invoice_pdf(facts))
    english = read(invoice_pdf(facts))

    assert facts["note"] == "TEST: no payment was made"
    assert all("TEST: no payment was made" in page for page in english)
    assert all("测试：未发生任何付款" in page for page in chinese)
    assert "发票" in chinese[0]


def test_live_money_says_that_nothing_is_due(buyer, settings):
    settings.OPERATOR = settings.OPERATOR | {"name": "Exchange Ltd"}
    facts = invoiced(buyer, livemode=True)
    [text] = read(invoice_pdf(facts))

    assert "TEST" not in text
    assert "Paid from the prepaid wallet; nothing is due." in text


def test_many_lines_go_on_over_pages_that_are_counted_and_each_names_the_columns(buyer):
    facts = invoiced(buyer, charges=60)
    pages = read(invoice_pdf(facts))

    assert len(pages) > 3
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert "What and where" in page
        assert facts["number"] in page
    places = [int(place) for page in pages for place in re.findall(r"(?<![\d.,])(\d+) H100 × 4", page)]
    assert places == list(range(1, 61))


def test_an_invoice_is_drawn_the_same_again(buyer):
    facts = invoiced(buyer)

    assert invoice_pdf(facts) == invoice_pdf(facts)


def test_the_csv_has_the_lines_of_the_json(buyer):
    facts = invoiced(buyer)
    rows = list(csv.DictReader(StringIO("".join(invoice_rows(facts)))))

    assert [row["source"] for row in rows] == [line["source"] for line in facts["lines"]]
    assert [row["amount"] for row in rows] == ["1234.56", "1234.56", "-1.82"]
    assert [row["test_money"] for row in rows] == ["yes"] * 3
    both = sum(line["amount_minor"] + line["tax_minor"] for line in facts["lines"])
    assert both == facts["total_minor"]
    assert to_major(facts["lines"][0]["tax_minor"], "USD") == rows[0]["tax"]


def test_a_credit_note_names_the_invoice_it_corrects(buyer):
    facts = invoiced(buyer)
    contract = make_contract(buyer)
    make_charge(contract)
    facts = {**facts, "kind": "credit_note", "corrects": "TEST-INV-2026-000009"}
    [text] = read(invoice_pdf(facts))

    assert "Credit note" in text
    assert "TEST-INV-2026-000009" in text


def test_rare_characters_come_from_another_face_and_unknown_ones_are_marked():
    style = Style(8)

    assert runs("Lab 研究", style) == [(REGULAR, "Lab 研究")]
    assert runs("臺A", style) == [("STSong-Light", "臺"), (REGULAR, "A")]
    assert runs("สA", style) == [(REGULAR, "\N{REPLACEMENT CHARACTER}A")]


@pytest.mark.parametrize("text", ["a name of several words", "一个没有空格的很长的名字需要换行", "w" * 60])
def test_a_text_that_is_too_long_is_wrapped_and_then_cut(text):
    style = Style(8)

    assert "".join(wrapped(text, style, 60, 99)).replace(" ", "") == text.replace(" ", "")
    assert wrapped(text, style, 60, 1)[0].endswith("…")
    assert wrapped(text, style, 1_000, 1) == [text]


@pytest.mark.parametrize(("rate", "said"), [(1_900, True), (700, False)])
def test_the_text_of_a_rule_is_printed_where_its_rate_was_charged(settings, rate, said):
    settings.OPERATOR = settings.OPERATOR | {"country": "DE"}
    settings.TAX_BP = 1_900
    rule = TaxRule(
        seller_country="DE", buyer_country="DE", business=False, tax_bp=rate, text="VAT 19 %, section 12",
        valid_from=MONDAY.date(),
    )  # fmt: skip
    add_rule(rule=rule, now=NOON, actor="test")
    make_charge(make_contract(make_organization()), 1_000, tax_minor=190)
    [invoice] = issue_due(now=CLOSED, orders=lambda subjects: {})
    [text] = read(invoice_pdf(invoice_as_json(invoice)))

    assert "Tax 19 % on 10.00" in text
    assert ("VAT 19 %, section 12" in text) is said
