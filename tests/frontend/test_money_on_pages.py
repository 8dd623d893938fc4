"""Where money decides: what is missing and where it is paid in, what is held, charged and given back, on every page."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role
from marketplace.booking.changing import extend
from marketplace.booking.maturing import mature_lines
from marketplace.booking.models import Contract, Reservation, ServiceCredit
from marketplace.booking.services import confirm, hold_units
from marketplace.common.clock import hour_floor, rfc3339, utc_now
from marketplace.ledger.budgets import set_budget
from marketplace.ledger.models import Invoice
from marketplace.ledger.wallets import wallet_of
from scheduler.finishing import finish
from scheduler.inside import place_inside
from scheduler.models import Job
from tests.frontend.market_stall import order, stock
from tests.frontend.stage import FILE, HOUR, match, shelf, signed_in, submit, text_of
from tests.ledger.cashier import Cashier
from tests.market import fund, key_of, make_organization
from tests.scheduler.reserved import begin, end, reserve, submit_inside
from tests.scheduler.scene import TestAgent

pytestmark = pytest.mark.django_db
HOUR_LONG = FILE.replace("120", "3600")  # 0.04 for a vCPU of the stage


def wallet(buyer):
    found = wallet_of(organization=buyer, asset="USD", livemode=False)
    return found.available, found.held


def reserved(buyer, offer, *, units=2):
    now = utc_now()
    start = hour_floor(now) + 2 * HOUR
    return hold_units(buyer=buyer, offer=offer, units=units, start=start, end=start + HOUR, now=now)


# ---- what is missing


def test_a_job_that_cannot_be_paid_names_the_sums_leads_to_the_wallet_and_is_kept_meanwhile():
    buyer = make_organization(funds=1)
    shelf()
    browser = signed_in(buyer, Role.BUYER)

    answer = browser.post("/jobs/new/", {"do": "submit", "file": HOUR_LONG, "request_key": "key_a"})
    html = answer.content.decode()

    assert answer.status_code == 402
    assert "$0.04 is needed, and the wallet has $0.01 available: $0.03 is missing." in text_of(answer)
    assert 'href="/wallet/?amount=0.03&amp;next=%2Fjobs%2Fnew%2F%3Fdraft%3D1"' in html
    assert "problem in the job file" not in html
    assert (Job.objects.count(), wallet(buyer)) == (0, (1, 0))

    fund(buyer, 500)
    back = browser.get("/jobs/new/?draft=1").content.decode()
    assert "time_limit_s: 3600" in back
    browser.post("/jobs/new/", {"do": "submit", "file": HOUR_LONG, "request_key": "key_b"})
    assert Job.objects.count() == 1


def test_no_draft_is_an_empty_form():
    browser = signed_in(make_organization(), Role.BUYER)

    assert browser.get("/jobs/new/?draft=1").status_code == 200


def test_the_api_says_it_in_the_currencys_own_figures(client):
    shelf()
    _, secret = key_of(make_organization(funds=1), "jobs:write")

    answer = client.post(
        "/api/v1/jobs", HOUR_LONG, content_type="application/yaml", HTTP_AUTHORIZATION=f"Bearer {secret}",
        HTTP_IDEMPOTENCY_KEY="a",
    )  # fmt: skip

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (402, "insufficient_funds")
    assert problem["detail"] == "0.04 USD is needed and 0.01 USD is there"
    assert problem["facts"] == {"asset": "USD", "available": 1, "needed": 4}
    assert problem["hint"].endswith("/wallet/, or ask for less.")


def test_a_checkout_that_the_wallet_cannot_pay_asks_for_what_is_missing_and_keeps_the_hours():
    buyer = make_organization(funds=1_000)
    browser = signed_in(buyer, Role.BUYER)
    here = order(browser, stock("Hall One"))["Location"]

    page = browser.get(here)
    refused = browser.post(here, {"do": "confirm", "request_key": "key_c"}, follow=True)

    assert "$12.48 is needed, and the wallet has $10.00 available: $2.48 is missing." in text_of(page)
    link = f'href="/wallet/?amount=2.48&amp;next={here.replace("/", "%2F")}"'
    assert link in page.content.decode()
    assert link in refused.content.decode()
    assert Reservation.objects.get().state == "held"
    assert wallet(buyer) == (1_000, 0)


@pytest.fixture
def frozen():
    """A buyer with 5000 available, one of whose card payments is disputed."""
    cashier = Cashier(timezone.now())
    disputed = cashier.topped_up(10_000)
    cashier.topped_up(5_000)
    cashier.dispute(disputed)
    cashier.hear()
    return cashier.buyer


FROZEN = "A card payment is disputed; until that is decided nothing new can be ordered."


def test_a_checkout_while_a_payment_is_disputed_leads_to_the_wallet_and_holds_no_money(frozen):
    browser = signed_in(frozen, Role.BUYER)
    here = order(browser, stock("Hall One"))["Location"]

    refused = browser.post(here, {"do": "confirm", "request_key": "key_c"}, follow=True)

    assert f"{FROZEN} See the wallet" in text_of(refused)
    assert '<a href="/wallet/">See the wallet</a>' in refused.content.decode()
    assert wallet(frozen) == (5_000, 0)


def test_a_job_while_a_payment_is_disputed_is_no_fault_of_its_file_and_is_kept(frozen):
    shelf()
    browser = signed_in(frozen, Role.BUYER)

    answer = browser.post("/jobs/new/", {"do": "submit", "file": HOUR_LONG, "request_key": "key_a"})

    assert answer.status_code == 422
    assert f"Nothing was submitted. {FROZEN} See the wallet" in text_of(answer)
    assert "problem in the job file" not in text_of(answer)
    assert "time_limit_s: 3600" in browser.get("/jobs/new/?draft=1").content.decode()
    assert Job.objects.count() == 0


def test_a_job_beyond_a_budget_names_what_is_left_of_it_and_leads_to_the_budgets():
    buyer = make_organization(funds=500)
    set_budget(organization=buyer, api_key=None, asset="USD", livemode=False, limit_minor=3, now=utc_now())
    shelf()

    answer = signed_in(buyer, Role.BUYER).post(
        "/jobs/new/", {"do": "submit", "file": HOUR_LONG, "request_key": "key_a"}
    )

    assert "$0.04 is needed, and a budget has $0.03 left. See the budgets" in text_of(answer)
    assert '<a href="/wallet/budgets/">' in answer.content.decode()
    assert (Job.objects.count(), wallet(buyer)) == (0, (500, 0))


def test_a_checkout_shows_what_the_wallet_has_and_what_cancelling_costs():
    browser = signed_in(make_organization(funds=5_000), Role.BUYER)
    plain = browser.get(order(browser, stock("Hall One"))["Location"])
    strict = stock("Hall Two", idle_bp=2_500, free_cancel_s=7_200)
    offered = browser.get(f"/offers/{strict.public_id}/?units=2&hours=3&near=berlin")
    later = rfc3339(hour_floor(utc_now()) + 9 * HOUR)
    held = browser.get(order(browser, strict, start=later, request_key="key_y")["Location"])
    late = browser.get(order(browser, strict, request_key="key_z")["Location"])

    assert "The wallet has $50.00 available; the total is held when you confirm." in text_of(plain)
    assert "Cancelling is free until the first hour begins, and hours left unused cost nothing." in text_of(plain)
    assert "Cancelling is free until 2 h before the first hour; after that, unused hours cost 25%." in text_of(offered)
    assert re.search(r"Cancelling is free until \w{3} \d\d:00 UTC; after that, hours left unused cost 25% of",
                     text_of(held))  # fmt: skip
    assert "Cancelling is not free any more: hours left unused cost 25% of their price." in text_of(late)


def test_a_held_reservation_that_the_wallet_cannot_pay_offers_the_way_to_the_wallet():
    buyer = make_organization(funds=3)
    browser = signed_in(buyer, Role.BUYER)
    row = reserved(buyer, shelf())
    here = f"/reservations/{row.public_id}/"

    page = browser.get(here)
    answer = browser.post(f"{here}confirm/", follow=True)

    for each in (page, answer):
        assert f'href="/wallet/?amount=0.05&amp;next={here.replace("/", "%2F")}"' in each.content.decode()
    assert "Confirm for" not in text_of(page)
    row.refresh_from_db()
    assert (row.state, wallet(buyer)) == ("held", (3, 0))


# ---- what was held, charged and given back


def test_a_reservation_shows_what_cancelling_gives_back_before_and_what_it_came_to_after():
    buyer = make_organization(funds=1_000)
    browser = signed_in(buyer, Role.BUYER)
    row = confirm(reservation=reserved(buyer, shelf()), now=utc_now())

    before = text_of(browser.get(f"/reservations/{row.public_id}/"))
    after = browser.post(f"/reservations/{row.public_id}/cancel/", follow=True)

    assert "Nothing is charged; $0.08 goes back to the wallet." in before
    assert "Held $0.08 Charged so far $0.00" in before
    assert "Cancelled: nothing was charged, and $0.08 went back to the wallet." in text_of(after)
    assert "Back in the wallet $0.08" in text_of(after)
    assert wallet(buyer) == (1_000, 0)


def test_a_late_cancellation_says_what_it_cost():
    buyer = make_organization(funds=1_000)
    browser = signed_in(buyer, Role.BUYER)
    row = confirm(reservation=reserved(buyer, shelf(idle_bp=5_000, free_cancel_s=86_400)), now=utc_now())

    before = text_of(browser.get(f"/reservations/{row.public_id}/"))
    after = text_of(browser.post(f"/reservations/{row.public_id}/cancel/", follow=True))

    assert "$0.04 is charged for the promise; $0.04 goes back to the wallet." in before
    assert "Cancelled: $0.04 was charged for it, and $0.04 went back to the wallet." in after
    assert "Charged so far $0.04" in after
    assert wallet(buyer) == (996, 0)


def test_a_hold_that_was_never_confirmed_costs_nothing_to_let_go():
    buyer = make_organization(funds=1_000)
    browser = signed_in(buyer, Role.BUYER)
    row = reserved(buyer, shelf())

    assert "Nothing is charged." in text_of(browser.get(f"/reservations/{row.public_id}/"))
    answer = browser.post(f"/reservations/{row.public_id}/cancel/", follow=True)
    assert "Cancelled: nothing was charged." in text_of(answer)


def run_for_half_an_hour(offer):
    """What waits is placed, and ends well after half an hour of use, of which its promise covers all."""
    match()
    agent = TestAgent(offer, now=utc_now())
    [lease] = agent.claim(now=utc_now())
    report = agent.report(lease, reason="succeeded", usage=[agent.usage(lease, 1_800_000)])
    finish(public_id=lease.public_id, key=agent.key, report=report, now=utc_now() + HOUR / 2)


def paid_job():
    """A buyer and its job, which has ended and was charged."""
    buyer = make_organization("Lab", funds=1_000)
    offer = shelf()
    job = submit(buyer, HOUR_LONG)
    run_for_half_an_hour(offer)
    return buyer, job


def test_a_job_shows_what_is_held_then_what_was_charged_and_what_came_back():
    buyer = make_organization(funds=1_000)
    browser = signed_in(buyer, Role.BUYER)
    offer = shelf()
    job = submit(buyer, HOUR_LONG)

    waiting = text_of(browser.get(f"/jobs/{job.public_id}/"))
    run_for_half_an_hour(offer)
    done = text_of(browser.get(f"/jobs/{job.public_id}/"))

    assert "Held $0.04 Charged so far $0.00" in waiting
    assert "Charged so far $0.02 Back in the wallet $0.02" in done
    assert "Held $" not in done


def test_a_charge_is_objected_to_from_the_page_of_its_job_until_it_matures():
    buyer, job = paid_job()
    browser = signed_in(buyer, Role.BUYER)

    before = text_of(browser.get(f"/jobs/{job.public_id}/"))
    mature_lines(now=utc_now() + timedelta(days=8))
    after = text_of(browser.get(f"/jobs/{job.public_id}/"))

    assert "Object to a charge" in before
    assert "Object to a charge" not in after
    assert "Charged so far" in after


def test_a_credit_stands_on_the_page_of_the_job_with_its_reason():
    buyer = make_organization(funds=1_000)
    browser = signed_in(buyer, Role.BUYER)
    shelf()
    job = submit(buyer, HOUR_LONG)
    match()
    attempt = job.attempts.get()
    contract = Contract.objects.get(pk=attempt.allocation.contract_id)
    ServiceCredit.objects.create(
        public_id="crd_0000000000000000000001", buyer=buyer, contract=contract, kind="interruption", asset="USD",
        subject=attempt.public_id, livemode=False, base_minor=40, amount_minor=4, fee_minor=0, provider_minor=4,
        created_at=utc_now(),
    )  # fmt: skip

    text = text_of(browser.get(f"/jobs/{job.public_id}/"))

    assert "Service credit $0.04 Credit: the provider ended your job early" in text


def test_a_credit_for_work_inside_a_reservation_stands_on_the_page_of_the_job_too():
    buyer, now = make_organization("Lab", funds=100_000), utc_now()
    held = reserve(shelf(rate_mm=600_000), buyer, start=hour_floor(now), now=now)
    extend(reservation=held, hours=1, now=now)
    job = submit_inside(held, now=now)
    place_inside(reservation=held.public_id, now=now)
    begin(job, now)
    end(job, now, reason="lease_lost")

    page = text_of(signed_in(buyer, Role.BUYER).get(f"/jobs/{job.public_id}/"))

    credit = ServiceCredit.objects.get()
    assert f"Service credit ${credit.amount_minor / 100:.2f} Credit: the provider ended your job early" in page


def test_an_order_that_ended_is_invoiced_by_its_button_once():
    buyer, job = paid_job()
    browser = signed_in(buyer, Role.BUYER)
    page = browser.get(f"/jobs/{job.public_id}/")

    answer = browser.post(f"/invoices/of/{job.public_id}/")
    again = browser.post(f"/invoices/of/{job.public_id}/", follow=True)

    invoice = Invoice.objects.get()
    assert "Invoice it now" in text_of(page)
    assert answer["Location"] == f"/invoices/{invoice.public_id}/"
    assert "is left to invoice" in text_of(again)
    told = text_of(browser.get(f"/jobs/{job.public_id}/"))
    assert f"Invoice {invoice.label}" in told
    assert "Invoice it now" not in told


def test_nobody_elses_order_is_invoiced():
    _, job = paid_job()

    answer = signed_in(make_organization("Stranger"), Role.BUYER).post(f"/invoices/of/{job.public_id}/")

    assert (answer.status_code, Invoice.objects.count()) == (404, 0)
