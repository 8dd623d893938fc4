"""Invoices and usage over HTTP: whose they are, what a job's invoice takes out of its month, and the cost export."""

import csv
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Role
from marketplace.booking.changing import extend
from marketplace.booking.invoicing import issue_due
from marketplace.booking.models import ChargeLine
from marketplace.booking.services import cancel, confirm, hold_units
from marketplace.common.months import Month
from marketplace.ledger.models import Invoice
from scheduler.billing import invoice_order, orders_of
from scheduler.models import Job
from scheduler.services import cancel_job
from scheduler.tasks import issue_invoices
from tests.billing import make_charge, make_contract, make_credit
from tests.market import MONDAY, NOON, key_of, make_member, make_offer, make_organization
from tests.scheduler.scene import allocated, make_cpu_offer

pytestmark = pytest.mark.django_db
NOVEMBER = Month(2026, 11)
CLOSED = NOVEMBER.closes_at + timedelta(hours=2)


@pytest.fixture
def buyer():
    return make_organization("Rhine Lab")


def api(organization, *scopes):
    _, secret = key_of(organization, *(scopes or ("usage:read",)))
    return Client(headers={"Authorization": f"Bearer {secret}"})


def bill():
    return issue_due(now=CLOSED, orders=orders_of)


def job_of(buyer, state="cancelled"):
    """A job that was charged for an attempt, and its charge."""
    offer = make_cpu_offer(now=NOON)
    attempt = allocated(offer, now=NOON, buyer=buyer)
    charge = make_charge(attempt.allocation.contract, 50, start=NOON, seconds=600, attempt=attempt.public_id)
    if state == "cancelled":
        cancel_job(job=Job.objects.get(pk=attempt.job_id), now=NOON)
    return attempt.job.public_id, charge


def text_of(answer):
    return b"".join(answer).decode() if answer.streaming else answer.content.decode()


def test_a_buyer_reads_its_own_invoices_and_nobody_elses(buyer):
    make_charge(make_contract(buyer))
    make_charge(make_contract(make_organization()))
    mine, other = sorted(bill(), key=lambda invoice: invoice.buyer != buyer)
    client = api(buyer)

    listed = client.get("/api/v1/invoices").json()
    assert [each["id"] for each in listed["data"]] == [mine.public_id]
    assert "lines" not in listed["data"][0]
    shown = client.get(f"/api/v1/invoices/{mine.public_id}").json()
    assert (shown["number"], shown["total_minor"], len(shown["lines"])) == (mine.label, 1_827, 1)
    assert shown["note"] == "TEST: no payment was made"
    for path in ("", "/pdf", "/csv"):
        assert client.get(f"/api/v1/invoices/{other.public_id}{path}").status_code == 404


def test_a_file_comes_as_what_it_is_whatever_type_is_asked_for_by_name(buyer):
    make_charge(make_contract(buyer))
    [invoice] = bill()
    client, path = api(buyer), f"/api/v1/invoices/{invoice.public_id}"

    pdf = client.get(f"{path}/pdf", headers={"Accept": "application/pdf"})
    table = client.get(f"{path}/csv", headers={"Accept": "text/csv"})

    assert (pdf.status_code, pdf["Content-Type"], pdf.content[:5]) == (200, "application/pdf", b"%PDF-")
    assert f'filename="{invoice.label}.pdf"' in pdf["Content-Disposition"]
    assert pdf["Cache-Control"] == "private, no-store"
    assert "18.27" in text_of(table)
    assert client.get(f"{path}/csv").status_code == 200
    missing = client.get("/api/v1/invoices/inv_x/pdf", headers={"Accept": "application/pdf"})
    assert (missing.status_code, missing["Content-Type"]) == (404, "application/problem+json")
    assert missing.json()["code"] == "not_found"


def test_a_key_needs_the_scope(buyer):
    client = api(buyer, "jobs:read")
    for path in ("invoices", "invoices/inv_x", "invoices/inv_x/pdf", "invoices/inv_x/csv", "usage"):
        assert client.get(f"/api/v1/{path}").json()["code"] == "scope_missing"
    assert api(buyer).post("/api/v1/invoices", {"order": "job_x"}, "application/json").status_code == 403


def test_a_job_that_has_ended_is_billed_apart_from_its_month_once(buyer):
    job, charge = job_of(buyer)
    rest = make_charge(make_contract(buyer))
    client = api(buyer, "usage:write")

    first = client.post("/api/v1/invoices", {"order": job}, "application/json")
    again = client.post("/api/v1/invoices", {"order": job}, "application/json")

    assert first.status_code == 201
    [invoice] = first.json()["data"]
    assert (invoice["scope"], invoice["order"], invoice["lines"][0]["source"]) == ("order", job, charge.public_id)
    assert invoice["lines"][0]["facts"]["order"] == job
    assert (again.status_code, again.json()["code"]) == (409, "illegal_state")
    [month] = bill()
    assert list(month.lines.values_list("source", flat=True)) == [rest.public_id]


def test_the_same_key_gets_the_same_invoice_and_a_rehearsal_takes_no_number(buyer):
    job, _ = job_of(buyer)
    client = api(buyer, "usage:write")

    tried = client.post("/api/v1/invoices?dry_run=true", {"order": job}, "application/json")
    assert (tried.status_code, Invoice.objects.count()) == (200, 0)
    answers = [
        client.post("/api/v1/invoices", {"order": job}, "application/json", headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]

    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Invoice.objects.get().number == 1


def test_what_has_not_ended_or_is_somebody_elses_is_not_billed(buyer):
    job, _ = job_of(buyer, state="allocated")
    held = hold_units(buyer=buyer, offer=make_offer(), units=1, start=NOON, end=NOON + timedelta(hours=1), now=MONDAY)
    client, stranger = api(buyer, "usage:write"), api(make_organization(), "usage:write")

    for order in (job, held.public_id):
        assert client.post("/api/v1/invoices", {"order": order}, "application/json").json()["code"] == "illegal_state"
        assert stranger.post("/api/v1/invoices", {"order": order}, "application/json").status_code == 404
    assert Invoice.objects.count() == 0


def test_a_reservation_is_billed_by_its_own_contract(buyer):
    offer = make_offer()
    held = hold_units(buyer=buyer, offer=offer, units=4, start=NOON, end=NOON + timedelta(hours=3), now=MONDAY)
    charge = make_charge(held.contract, 100, idle=True)
    cancel(reservation=held, now=NOON)

    [invoice] = invoice_order(buyer=buyer, order=held.public_id, now=NOON)

    assert invoice.lines.get().source == charge.public_id
    assert invoice.lines.get().facts["idle"] is True


def test_a_reservation_is_billed_with_all_that_was_added_to_it(buyer):
    offer = make_offer()
    held = hold_units(buyer=buyer, offer=offer, units=1, start=NOON, end=NOON + timedelta(hours=3), now=MONDAY)
    confirm(reservation=held, now=MONDAY)
    extend(reservation=held, hours=1, now=MONDAY)
    added = held.changes.get().contract
    charges = {make_charge(each, 100, idle=True).public_id for each in (held.contract, added)}
    cancel(reservation=held, now=MONDAY)

    [invoice] = invoice_order(buyer=buyer, order=held.public_id, now=NOON)

    assert {line.source for line in invoice.lines.all()} == charges
    assert {line.facts["order"] for line in invoice.lines.all()} == {held.public_id}


def test_usage_of_a_month_lists_charges_with_their_sums(buyer):
    contract = make_contract(buyer)
    charge = make_charge(contract, tax_minor=365)
    make_charge(make_contract(buyer, start=NOVEMBER.start - timedelta(days=9)))
    make_credit(buyer, 120, tax_minor=20, contract=contract)
    make_charge(make_contract(make_organization()))

    answer = api(buyer).get("/api/v1/usage?month=2026-11").json()

    [row] = answer["data"]
    assert (row["id"], row["order"], row["quantity"], row["invoice"]) == (
        charge.public_id, contract.subject, 33_052, None,
    )  # fmt: skip
    assert answer["meta"]["sums"] == [
        {"what": "charges", "currency": "USD", "livemode": False, "lines": 1, "amount_minor": 1_827, "tax_minor": 365},
        {"what": "credits", "currency": "USD", "livemode": False, "lines": 1, "amount_minor": 100, "tax_minor": 20},
    ]


@pytest.mark.parametrize("query", ["month=2026-13", "month=november", "format=xml", "moon=2026-11", "month=9999-12"])
def test_what_usage_does_not_know_it_refuses(buyer, query):
    assert api(buyer).get(f"/api/v1/usage?{query}").status_code == 400


def export(client, month="2026-11"):
    answer = client.get(f"/api/v1/usage?format=focus&month={month}")
    assert answer.streaming
    return list(csv.DictReader(StringIO(text_of(answer))))


def test_the_cost_export_adds_up_to_each_invoice(buyer):
    job, charge = job_of(buyer)
    contract = make_contract(buyer)
    make_charge(contract, tax_minor=365)
    make_credit(buyer, 182, contract=contract)
    invoice_order(buyer=buyer, order=job, now=CLOSED)
    make_charge(make_contract(make_organization()))
    bill()

    rows = export(api(buyer))

    assert [row["ChargeCategory"] for row in rows] == ["Usage", "Usage", "Tax", "Credit"]
    assert (rows[0]["ResourceId"], rows[0]["x_ContractId"]) == (job, charge.contract.public_id)
    for invoice in Invoice.objects.filter(buyer=buyer):
        cents = [row["BilledCost"].replace(".", "") for row in rows if row["InvoiceId"] == invoice.label]
        assert sum(map(int, cents)) == invoice.total_minor
    assert {row["InvoiceId"] for row in rows} == {each.label for each in Invoice.objects.filter(buyer=buyer)}
    assert {row["BillingAccountId"] for row in rows} == {buyer.public_id}


def test_late_charges_are_corrections_in_the_month_that_bills_them(buyer):
    make_charge(make_contract(buyer), created_at=NOVEMBER.closes_at + timedelta(days=1))

    assert export(api(buyer)) == []
    [row] = export(api(buyer), "2026-12")
    assert (row["ChargeClass"], row["ChargePeriodStart"][:7], row["BillingPeriodStart"][:7]) == (
        "Correction", "2026-11", "2026-12",
    )  # fmt: skip


def test_a_longer_export_asks_no_more_questions(buyer):
    def questions():
        with CaptureQueriesContext(connection) as caught:
            export(client)
        return len(caught)

    client = api(buyer)
    make_charge(make_contract(buyer))
    questions()
    few = questions()
    for _ in range(5):
        make_charge(make_contract(buyer), tax_minor=1)
        make_credit(buyer, 5)

    assert questions() == few


def test_the_task_bills_what_is_closed_and_the_second_time_finds_nothing(buyer):
    job, charge = job_of(buyer)
    with time_machine.travel(NOVEMBER.closes_at, tick=False):
        issue_invoices()
        assert not Invoice.objects.exists()
    for _ in range(2):
        with time_machine.travel(CLOSED, tick=False):
            issue_invoices()

    line = Invoice.objects.get().lines.get()
    assert (line.source, line.facts["order"]) == (charge.public_id, job)


def test_a_person_reads_them_too(buyer):
    make_charge(make_contract(buyer))
    [invoice] = bill()
    client = Client()
    client.force_login(make_member(buyer, Role.BUYER))

    assert client.get(f"/api/v1/invoices/{invoice.public_id}/pdf").status_code == 200
    assert ChargeLine.objects.count() == 1
