"""Which charges and credits go on which bill: every one on exactly one line, a month once it is closed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import Organization
from marketplace.booking.invoicing import due, issue_due, issue_month, issue_order
from marketplace.booking.models import ChargeLine
from marketplace.common.months import Month
from marketplace.ledger.errors import NothingToInvoice
from marketplace.ledger.models import Invoice, InvoiceLine
from tests.billing import make_charge, make_contract, make_credit
from tests.market import MONDAY, make_offer, make_organization

pytestmark = pytest.mark.django_db
NOVEMBER, DECEMBER = Month(2026, 11), Month(2026, 12)
CLOSED = NOVEMBER.closes_at + timedelta(hours=2)
NEW_YEAR = DECEMBER.closes_at + timedelta(hours=2)


@pytest.fixture
def buyer():
    return make_organization("Rhine Lab")


def no_jobs(subjects):
    return {}


def bill(now=CLOSED):
    return issue_due(now=now, orders=no_jobs)


def sources(invoice):
    return list(invoice.lines.values_list("source", flat=True))


def test_a_month_is_one_invoice_of_its_charges_and_of_the_credits_about_them(buyer):
    contract = make_contract(buyer)
    charges = [make_charge(contract), make_charge(contract, 100, tax_minor=20, start=MONDAY + timedelta(hours=3))]
    given_back = make_credit(buyer, 182, contract=contract)
    [invoice] = bill()

    assert (invoice.kind, invoice.scope, invoice.asset, invoice.livemode) == ("invoice", "month", "USD", False)
    assert (invoice.period_start, invoice.period_end) == (NOVEMBER.start, DECEMBER.start)
    assert sources(invoice) == [each.public_id for each in (*charges, given_back)]
    assert (invoice.net_minor, invoice.tax_minor, invoice.total_minor) == (1_745, 20, 1_765)


def test_a_line_says_what_was_used_where_and_at_which_price(buyer):
    offer = make_offer()
    charge = make_charge(make_contract(buyer, offer, quoted=()), 1_827)
    [invoice] = bill()

    line = invoice.lines.get()
    price = charge.contract.total_minor / 100 / 12
    assert (line.quantity, line.unit, float(line.unit_price)) == ("9.181111111", "Unit-Hours", pytest.approx(price))
    assert line.facts["order"] == charge.contract.subject
    assert line.facts["hardware"] == "H100"
    assert (line.facts["site"], line.facts["zone"]) == (offer.site.name, "DE")
    assert (line.facts["start"], line.facts["end"]) == ("2026-11-23T00:00:00Z", "2026-11-23T02:17:43Z")


def test_currencies_test_money_buyers_and_months_are_billed_apart(buyer, settings):
    settings.OPERATOR = settings.OPERATOR | {"name": "Exchange Ltd"}
    other, euro = make_organization(), make_offer(currency="EUR")
    make_charge(make_contract(buyer))
    make_charge(make_contract(buyer), livemode=True)
    make_charge(make_contract(buyer, euro))
    make_charge(make_contract(other))
    make_charge(make_contract(buyer, start=NOVEMBER.start - timedelta(days=3)))

    found = {(each.buyer, each.asset, each.livemode, each.period_start.month) for each in bill()}

    assert found == {
        (buyer, "USD", False, 11), (buyer, "USD", True, 11), (buyer, "EUR", False, 11), (other, "USD", False, 11),
        (buyer, "USD", False, 10),
    }  # fmt: skip


def test_a_month_is_billed_when_it_is_closed_and_once(buyer):
    make_charge(make_contract(buyer))

    assert bill(NOVEMBER.end + timedelta(hours=1)) == []
    assert bill(NOVEMBER.closes_at - timedelta(seconds=1)) == []
    assert len(bill()) == 1
    assert bill() == []
    assert Invoice.objects.count() == 1


def test_use_belongs_to_the_month_in_which_it_ended_even_if_it_is_charged_just_after(buyer):
    contract = make_contract(buyer, start=NOVEMBER.end - timedelta(hours=2))
    last = make_charge(contract, end=NOVEMBER.end, start=NOVEMBER.end - timedelta(hours=2))
    across = make_charge(contract, start=NOVEMBER.end, end=NOVEMBER.end + timedelta(minutes=49))
    reported_late = make_charge(
        make_contract(buyer, start=MONDAY), created_at=NOVEMBER.closes_at - timedelta(seconds=1)
    )

    [november] = bill()
    [december] = bill(NEW_YEAR)

    assert set(sources(november)) == {last.public_id, reported_late.public_id}
    assert sources(december) == [across.public_id]


def test_what_is_charged_once_a_month_is_closed_is_billed_with_the_next(buyer):
    make_charge(make_contract(buyer))
    bill()
    late = make_charge(make_contract(buyer, start=MONDAY), created_at=NOVEMBER.closes_at)

    [invoice] = bill(NEW_YEAR)

    assert (sources(invoice), invoice.period_start) == ([late.public_id], DECEMBER.start)


def test_a_credit_about_what_was_billed_is_a_credit_note_that_names_the_invoice(buyer):
    contract = make_contract(buyer)
    make_charge(contract)
    [invoice] = bill()
    late = make_credit(buyer, 182, contract=contract, created_at=DECEMBER.start + timedelta(days=5))

    [note] = bill(NEW_YEAR)

    assert (note.kind, note.corrects, note.total_minor) == ("credit_note", invoice, -182)
    assert (sources(note), note.label) == ([late.public_id], "TEST-CRN-2027-000001")


def test_credits_above_the_charges_are_a_credit_note_beside_the_invoice(buyer):
    make_charge(make_contract(buyer), 100)
    make_credit(buyer, 238)

    documents = bill()

    assert [(each.kind, each.total_minor, each.corrects) for each in documents] == [
        ("invoice", 100, None), ("credit_note", -238, None),
    ]  # fmt: skip


def test_a_month_of_credits_alone_is_a_credit_note_and_its_tax_goes_back_with_it(buyer):
    make_credit(buyer, 120, tax_minor=20)
    [note] = bill()

    assert (note.kind, note.net_minor, note.tax_minor, note.total_minor) == ("credit_note", -100, -20, -120)


def test_credits_in_compute_units_are_on_no_bill(buyer):
    make_credit(buyer, 5, asset="CU:h100-sxm")

    assert bill() == []


class TestOrder:
    """The invoice of one order takes its charges out of the month's."""

    @pytest.fixture
    def contract(self, buyer):
        contract = make_contract(buyer)
        make_charge(contract)
        make_charge(contract, 200, start=MONDAY + timedelta(hours=3), seconds=3_600)
        return contract

    def invoice(self, buyer, contract):
        now = MONDAY + timedelta(days=1)
        return issue_order(buyer=buyer, order="job_1", subjects=[contract.subject], now=now, orders=no_jobs)

    def test_it_covers_the_time_that_was_used(self, buyer, contract):
        credit = make_credit(buyer, 20, contract=contract)
        [invoice] = self.invoice(buyer, contract)

        assert (invoice.scope, invoice.order, invoice.total_minor) == ("order", "job_1", 2_007)
        assert (invoice.period_start, invoice.period_end) == (MONDAY, MONDAY + timedelta(hours=4))
        assert credit.public_id in sources(invoice)

    def test_the_month_has_only_what_is_left(self, buyer, contract):
        self.invoice(buyer, contract)
        other = make_charge(make_contract(buyer))

        [month] = bill()

        assert sources(month) == [other.public_id]

    def test_a_second_one_is_refused_and_takes_no_number(self, buyer, contract):
        self.invoice(buyer, contract)
        with pytest.raises(NothingToInvoice):
            self.invoice(buyer, contract)

        assert Invoice.objects.count() == 1
        assert self.invoice_of_another(buyer).number == 2

    def invoice_of_another(self, buyer):
        contract = make_contract(buyer)
        make_charge(contract)
        return self.invoice(buyer, contract)[0]

    def test_another_buyers_contract_is_not_billed_to_you(self, contract):
        with pytest.raises(NothingToInvoice):
            self.invoice(make_organization(), contract)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_bill_a_month_once(buyer):
    for _ in range(5):
        make_charge(make_contract(buyer))

    def work(_):
        try:
            return len(bill())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        issued = sum(pool.map(work, range(4)))

    assert (issued, Invoice.objects.count(), InvoiceLine.objects.count()) == (1, 1, 5)


MOMENTS = st.datetimes(datetime(2026, 10, 25), datetime(2027, 1, 10), timezones=st.just(UTC))


class TestEveryCharge(TestCase):
    """Whenever it was used and charged: billed in one month, however one asks."""

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.tuples(MOMENTS, st.integers(1, 9_000), st.integers(0, 10**6)), min_size=1, max_size=6))
    def test_it_is_on_one_line_of_one_invoice_and_the_sums_agree(self, uses):
        buyer, offer = make_organization(), make_offer()
        for moment, seconds, wait in uses:
            start = moment.replace(microsecond=0)
            end = start + timedelta(seconds=seconds)
            contract = make_contract(buyer, offer, start=start)
            make_charge(contract, seconds % 7 + 1, start=start, end=end, created_at=end + timedelta(seconds=wait))

        invoices = issue_due(now=datetime(2027, 3, 5, tzinfo=UTC), orders=no_jobs)

        lines = list(InvoiceLine.objects.values_list("source", flat=True))
        assert sorted(lines) == sorted(ChargeLine.objects.values_list("public_id", flat=True))
        for invoice in invoices:
            month = Month.of(invoice.period_start)
            asked = set(ChargeLine.objects.billed_in(month).values_list("public_id", flat=True))
            assert asked == set(sources(invoice))
        charged = sum(ChargeLine.objects.values_list("charge_minor", flat=True))
        assert sum(each.total_minor for each in invoices) == charged


def test_due_names_what_is_closed_and_open_the_oldest_first(buyer):
    make_charge(make_contract(buyer))
    make_charge(make_contract(buyer, start=NOVEMBER.start - timedelta(days=3)))
    make_credit(make_organization(), 5)

    found = due(now=CLOSED, most=10)

    assert [each.month.number for each in found] == [10, 11, 11]
    assert due(now=CLOSED, most=1) == found[:1]
    assert due(now=NOVEMBER.end, most=10) == found[:1]


@pytest.mark.django_db(transaction=True)
def test_a_buyer_whom_another_worker_bills_is_left_to_it(buyer):
    make_charge(make_contract(buyer))
    [asked] = due(now=CLOSED, most=10)

    def work():
        try:
            return issue_month(due=asked, now=CLOSED, orders=no_jobs)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=buyer.pk)
        assert pool.submit(work).result(timeout=10) == []

    assert not Invoice.objects.exists()
    assert len(bill()) == 1
