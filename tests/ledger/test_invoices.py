"""Invoices: numbered without a gap, never changed, the sum of their lines; whoever writes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.utils import DatabaseError

from marketplace.common.errors import IllegalState
from marketplace.events.models import Event
from marketplace.ledger.errors import IssuerUnknown
from marketplace.ledger.invoices import Head, Item, draft, issue, number
from marketplace.ledger.models import BillingDetails, Invoice, InvoiceLine, InvoiceSeries
from tests.market import MONDAY, NOON, make_organization

pytestmark = pytest.mark.django_db
YEAR = 2026


@pytest.fixture
def buyer():
    return make_organization("Rhine Lab")


def head(buyer, **fields):
    return Head(buyer, "USD", fields.pop("livemode", False), MONDAY, MONDAY + timedelta(days=7), **fields)


def item(source, amount=1_827, tax=0):
    return Item(source, amount, tax, 0, {"type": "charge"}, "9.181111111", "Unit-Hours", "1.99")


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def settle():
    """Have the deferred promises looked at now, as COMMIT would."""
    sql("SET CONSTRAINTS ALL IMMEDIATE")


def test_an_invoice_is_issued_with_the_next_number_and_an_event(buyer):
    first = issue(head=head(buyer), items=[item("chl_1"), item("chl_2", 365, 73)], now=NOON)
    second = issue(head=head(buyer), items=[item("chl_3")], now=NOON)
    settle()

    assert (first.label, second.label) == ("TEST-INV-2026-000001", "TEST-INV-2026-000002")
    assert (first.net_minor, first.tax_minor, first.total_minor) == (2_192, 73, 2_265)
    event = Event.objects.get(object_id=first.public_id)
    assert (event.type, event.buyer, event.facts["kind"]) == ("invoice.issued", buyer, "invoice")


def test_credit_notes_and_live_money_have_numbers_of_their_own(buyer, settings):
    settings.OPERATOR = settings.OPERATOR | {"name": "Exchange Ltd"}
    issue(head=head(buyer), items=[item("chl_1")], now=NOON)

    note = issue(head=head(buyer, kind="credit_note"), items=[item("crd_1", -100)], now=NOON)
    live = issue(head=head(buyer, livemode=True), items=[item("chl_2")], now=NOON)
    next_year = issue(head=head(buyer), items=[item("chl_3")], now=NOON + timedelta(days=60))

    assert [each.label for each in (note, live, next_year)] == [
        "TEST-CRN-2026-000001", "INV-2026-000001", "TEST-INV-2027-000001",
    ]  # fmt: skip


def test_an_invoice_keeps_the_names_of_its_day(buyer, settings):
    settings.OPERATOR = {"name": "Exchange Ltd", "address": "Dock 1", "country": "DE", "tax_id": "DE1"}
    details = BillingDetails.objects.create(
        organization=buyer, legal_name="Rhine Lab GmbH", address="Quay 2", tax_id="DE2", updated_at=NOON
    )
    invoice = issue(head=head(buyer), items=[item("chl_1")], now=NOON)
    details.legal_name = "Other GmbH"
    details.save()

    invoice.refresh_from_db()
    assert invoice.issuer_facts["name"] == "Exchange Ltd"
    assert (invoice.buyer_facts["name"], invoice.buyer_facts["tax_id"]) == ("Rhine Lab GmbH", "DE2")


def test_live_money_is_not_invoiced_by_nobody(buyer, settings):
    settings.OPERATOR = settings.OPERATOR | {"name": ""}
    with pytest.raises(IssuerUnknown):
        issue(head=head(buyer, livemode=True), items=[item("chl_1")], now=NOON)

    assert (Invoice.objects.count(), InvoiceLine.objects.count()) == (0, 0)


def test_a_charge_is_on_one_line_only_and_a_second_invoice_of_it_takes_no_number(buyer):
    issue(head=head(buyer), items=[item("chl_1")], now=NOON)

    with pytest.raises(IntegrityError, match="source"), transaction.atomic():
        issue(head=head(buyer), items=[item("chl_2"), item("chl_1")], now=NOON)

    assert (Invoice.objects.count(), InvoiceSeries.objects.get().last) == (1, 1)
    assert issue(head=head(buyer), items=[item("chl_2")], now=NOON).number == 2


def test_an_issued_invoice_is_not_issued_again(buyer):
    invoice = issue(head=head(buyer), items=[item("chl_1")], now=NOON)
    with pytest.raises(IllegalState):
        number(invoice=invoice, now=NOON)

    assert InvoiceSeries.objects.get().last == 1


COPIED = """
    INSERT INTO ledger_invoice (public_id, buyer_id, asset, livemode, kind, scope, "order", period_start, period_end,
        issuer_facts, buyer_facts, taxes, net_minor, tax_minor, total_minor, version, created_at, state, label)
    SELECT 'inv_sql', buyer_id, asset, livemode, kind, scope, "order", period_start, period_end,
        issuer_facts, buyer_facts, taxes, 0, 0, 0, 1, now(), 'issued', 'X' FROM ledger_invoice
"""


class TestDirectSql:
    """Whoever writes past the program meets the same rules; the connection of the tests owns the tables."""

    @pytest.fixture
    def issued(self, buyer):
        invoice = issue(head=head(buyer), items=[item("chl_1")], now=NOON)
        settle()
        sql("SET CONSTRAINTS ALL DEFERRED")
        return invoice

    @pytest.fixture
    def waiting(self, buyer, issued):
        return draft(head=head(buyer), items=[item("chl_2")], now=NOON)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE ledger_invoice SET total_minor = total_minor + 1, net_minor = net_minor + 1",
            "UPDATE ledger_invoice SET buyer_facts = '{}'", "UPDATE ledger_invoice SET state = 'draft'",
            "UPDATE ledger_invoice SET number = 2", "DELETE FROM ledger_invoice", "TRUNCATE ledger_invoice CASCADE",
            "UPDATE ledger_invoiceline SET amount_minor = 1", "DELETE FROM ledger_invoiceline",
            "TRUNCATE ledger_invoiceline", "DELETE FROM ledger_invoiceseries",
        ],
    )  # fmt: skip
    def test_nothing_of_an_issued_invoice_changes_or_goes(self, issued, change):
        with pytest.raises(DatabaseError, match=r"Cannot (update|delete)|not emptied|is issued"), transaction.atomic():
            sql(change)

    def test_an_issued_invoice_takes_no_further_line(self, issued):
        with pytest.raises(IntegrityError, match="is issued"), transaction.atomic():
            InvoiceLine.objects.create(
                invoice=issued, position=2, source="chl_9", facts={}, amount_minor=0, tax_minor=0, tax_bp=0
            )

    def test_a_draft_that_is_not_the_sum_of_its_lines_does_not_commit(self, waiting):
        with pytest.raises(IntegrityError, match="is not the sum"), transaction.atomic():
            sql("UPDATE ledger_invoice SET net_minor = 1, total_minor = 1 WHERE id = %s", waiting.pk)
            settle()

    def test_a_line_that_came_to_a_draft_behind_its_sum_is_found_when_it_is_issued(self, waiting):
        settle()
        sql("SET CONSTRAINTS ALL DEFERRED")
        InvoiceLine.objects.create(
            invoice=waiting, position=2, source="chl_9", facts={}, amount_minor=5, tax_minor=0, tax_bp=0
        )
        with pytest.raises(IntegrityError, match="is not the sum"), transaction.atomic():
            number(invoice=waiting, now=NOON)
            settle()

    def test_an_invoice_without_a_line_is_not_issued(self, buyer):
        with pytest.raises(IntegrityError, match="has no line"), transaction.atomic():
            issue(head=head(buyer), items=[], now=NOON)
            settle()

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE ledger_invoice SET number = 7, label = 'X' WHERE id = %s",
            "UPDATE ledger_invoiceseries SET last = last + 1 WHERE %s > 0",
            "UPDATE ledger_invoiceseries SET last = 0 WHERE %s > 0",
            "INSERT INTO ledger_invoiceseries (code, kind, livemode, year, last) VALUES ('X', 'invoice', true, %s, 5)",
        ],
    )
    def test_nobody_gives_a_number_but_the_database(self, waiting, change):
        with pytest.raises(DatabaseError, match=r"Cannot|next number"), transaction.atomic():
            sql(change, waiting.pk)

    def test_whatever_number_is_written_the_next_one_is_taken(self, waiting):
        series = InvoiceSeries.objects.get()
        sql(
            "UPDATE ledger_invoice SET state = 'issued', number = 99, label = 'MINE', series_id = %s, "
            "issued_at = now() WHERE id = %s", series.pk, waiting.pk,
        )  # fmt: skip

        waiting.refresh_from_db()
        assert (waiting.number, waiting.label) == (2, "TEST-INV-2026-000002")

    def test_an_invoice_takes_no_number_of_another_series(self, waiting):
        InvoiceSeries.objects.create(code="INV-2026", kind="invoice", livemode=True, year=YEAR)
        with pytest.raises(IntegrityError, match="no series of its kind"), transaction.atomic():
            sql(
                "UPDATE ledger_invoice SET state = 'issued', issued_at = now(), "
                "series_id = (SELECT id FROM ledger_invoiceseries WHERE livemode) WHERE id = %s", waiting.pk,
            )  # fmt: skip

    def test_an_invoice_is_not_inserted_with_a_number(self, issued):
        with pytest.raises(IntegrityError, match="not inserted"), transaction.atomic():
            sql(COPIED)

    @pytest.mark.parametrize(("kind", "amount"), [("invoice", -1), ("credit_note", 1)])
    def test_an_invoice_asks_for_money_and_a_credit_note_gives_it(self, buyer, kind, amount):
        with pytest.raises(IntegrityError, match="invoice_asks_and_credit_note_gives"), transaction.atomic():
            issue(head=head(buyer, kind=kind), items=[item("x_1", amount)], now=NOON)


WITHOUT_A_LOCK = """
    CREATE FUNCTION counted_by_looking() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        SELECT coalesce(max(number), 0) + 1 INTO NEW.number FROM ledger_invoice WHERE series_id = NEW.series_id;
        NEW.label = 'TEST-INV-2026-' || NEW.number; PERFORM pg_sleep(0.01); RETURN NEW;
    END $$
"""
FROM_A_SEQUENCE = """
    CREATE FUNCTION counted_by_looking() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.number = nextval('invoice_numbers'); NEW.label = 'TEST-INV-2026-' || NEW.number; RETURN NEW;
    END $$
"""
SWAPPED = (
    "ALTER TABLE ledger_invoice DISABLE TRIGGER USER",
    "CREATE TRIGGER counted_by_looking BEFORE UPDATE ON ledger_invoice FOR EACH ROW "
    "WHEN (NEW.state = 'issued') EXECUTE FUNCTION counted_by_looking()",
)


class GaveUp(Exception):
    """A transaction that is taken back on purpose."""


def issue_some(buyer, worker, each=12):
    """Issue invoices one by one and take every third back; the constraints that were broken."""
    errors = set()
    try:
        for turn in range(each):
            try:
                with transaction.atomic():
                    issue(head=head(buyer), items=[item(f"chl_{worker}_{turn}")], now=NOON)
                    if turn % 3 == 2:
                        raise GaveUp
            except GaveUp:
                pass
            except IntegrityError as error:
                errors.add(error.__cause__.diag.constraint_name)
    finally:
        connections.close_all()
    return errors


def issue_at_once(buyer, workers=8):
    """(numbers given, constraints broken) when eight issue at once."""
    with ThreadPoolExecutor(workers) as pool:
        errors = set().union(*pool.map(lambda worker: issue_some(buyer, worker), range(workers)))
    return sorted(Invoice.objects.values_list("number", flat=True)), errors


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Eight issue at once, and every third is taken back."""

    def test_numbers_have_no_gap_and_no_double(self, buyer):
        numbers, errors = issue_at_once(buyer)

        assert (numbers, errors) == (list(range(1, 8 * 8 + 1)), set())
        assert InvoiceSeries.objects.get().last == 64

    @pytest.mark.parametrize(("broken", "wrong"), [(WITHOUT_A_LOCK, "double"), (FROM_A_SEQUENCE, "gap")])
    def test_a_number_without_the_locked_row_is_given_twice_or_leaves_a_gap(self, buyer, broken, wrong):
        try:
            for statement in ("CREATE SEQUENCE invoice_numbers", broken, *SWAPPED):
                sql(statement)
            numbers, errors = issue_at_once(buyer)
        finally:
            sql("DROP FUNCTION IF EXISTS counted_by_looking CASCADE")
            sql("DROP SEQUENCE IF EXISTS invoice_numbers")
            sql("ALTER TABLE ledger_invoice ENABLE TRIGGER USER")

        if wrong == "double":
            assert "invoice_number_once" in errors
        else:
            assert (len(numbers), errors) == (64, set())
            assert numbers != list(range(1, 65))
