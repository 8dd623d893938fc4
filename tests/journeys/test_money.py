"""Money goes round once: a buyer pays in, spends, is given back and is billed; a provider is paid; the books are zero.

Everything is pressed and read on pages of the running product, at the sandbox processor's own pages too. Only the clock
is helped: what Celery does by the hour is asked of its workers at once.
"""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from io import StringIO

import pytest

from config.launcher.folders import CHECKOUT
from config.launcher.instance import Instance, free_port_pair
from marketplace.common.clock import utc_now
from tests.journeys.conftest import PLENTY
from tests.journeys.people import Person, a_browser, cents, minor, wake
from tests.journeys.test_kills import processes_naming

pytestmark = [pytest.mark.running, pytest.mark.browser]
AT_ONCE = {"MATURITY_DAYS": "0", "LEAST_PAYOUT_MINOR": "1", "OPERATOR_NAME": "Sample Exchange"}
TOP_UPS = 10_000 + 15_000
RATE = "36"  # per unit and hour: a cent for a second
TOLD = {"back": "Back to its buyer", "credit": "Service credit", "owed": "Of it, you owe"}
JOB = """\
name: {name}
run: {run}
resources: {{cpus: 1}}
config:
  joulemart: {{time_limit_s: 120, reservation: {reservation}}}
"""


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    data = tmp_path_factory.mktemp("money") / "data"
    with Instance(data_dir=data, port=free_port_pair(), env=PLENTY | AT_ONCE) as instance:
        yield instance


def test_money_goes_round_and_every_cent_is_accounted_for(market, pictures):
    with a_browser() as browser:
        buyer, provider, operator = (Person(browser, market, pictures) for _ in range(3))
        offer = opens_shop(provider)
        registers_to_be_paid(provider)
        signs_up(buyer)
        tops_up_after_a_decline(buyer)
        tops_up_with_the_banks_consent(buyer)
        held = reserves(buyer, offer)
        runs_a_job_inside(buyer, held)
        gives_half_back(buyer, held)
        lost = loses_work_by_the_providers_fault(buyer, held)
        paid = is_paid_out(provider)
        owed = gives_it_up(provider, held)
        invoice = is_billed(buyer, held)
        left = reads_the_wallet(buyer)
        reconciles_to_zero(operator)

    movements = left["movements"]
    assert movements["topup"] == TOP_UPS
    assert movements["sla_credit"] == lost + sum(invoice["credits"])
    assert 0 < sum(invoice["credits"]) <= owed["credit"] == owed["owed"]
    assert (left["available"], left["held"]) == (TOP_UPS - invoice["charged"] + movements["sla_credit"], 0)
    assert invoice["total"] == invoice["lines"] == invoice["charged"] > 0
    assert (paid["taken_off"], paid["amount"]) == (-lost, paid["matured"] - lost)
    assert checked(market) == {"ok": True, "anomalies": 0}


def opens_shop(provider):
    """The provider asks a price at which a second is worth a cent, so that every amount shows; the offer's id."""
    provider.sign_in_as("provider")
    provider.go("/console/offers/")
    provider.press("This machine · vCPU", role="link")
    provider.fill(price=RATE)
    provider.press("Change the price")
    provider.reads("The price of 168 hours a week has changed")
    provider.look("01-shop")
    return provider.page.url.rstrip("/").rsplit("/", 1)[-1]


def registers_to_be_paid(provider):
    provider.go("/console/payouts/")
    provider.press("Register to be paid")
    provider.look("02-payee")
    provider.press("Forget the document")
    provider.reads("The processor does not pay you yet")
    provider.look("03-payee-incomplete")
    provider.press("Go on with the processor", role="link")
    provider.press("Tell everything")
    provider.waits_to_read("the processor pays you", "/console/payouts/")


def signs_up(buyer):
    buyer.go("/accounts/signup/")
    buyer.fill(email="round@trip.example", password1="a quite long password")
    buyer.press("Create an account")
    buyer.go("/wallet/")
    buyer.reads("Nothing has moved yet")
    buyer.look("04-empty-wallet")


def tops_up_after_a_decline(buyer):
    buyer.fill(amount="100")
    buyer.press("Go to payment")
    buyer.look("05-till")
    buyer.press("Card declined")
    buyer.reads("Nothing was paid")
    buyer.look("06-declined")
    assert buyer.market.sample  # the market is still there after a refusal
    buyer.press("Pay $100.00")
    buyer.reads("$100.00 is in the wallet")
    buyer.look("07-paid-in")


def tops_up_with_the_banks_consent(buyer):
    buyer.go("/wallet/")
    assert buyer.amount("Available") == 10_000  # the decline left nothing behind
    buyer.fill(amount="150")
    buyer.press("Go to payment")
    buyer.press("The bank asks first")
    buyer.look("08-bank")
    buyer.press("Yes, it is me")
    buyer.reads("$150.00 is in the wallet")
    buyer.go("/wallet/")
    assert (buyer.amount("Available"), buyer.amount("Held")) == (TOP_UPS, 0)


def reserves(buyer, offer):
    """Two units for three hours from now on; the reservation's id."""
    buyer.go(f"/offers/{offer}/?units=2&hours=3&when=now")
    buyer.press("Reserve for")
    buyer.look("09-checkout")
    total = minor(buyer.page.locator(".bill .tot dd").first.inner_text())
    buyer.press("Confirm for")
    buyer.reads("Confirmed")
    buyer.look("10-reserved")
    held = re.search(r"rsv_\w+", buyer.page.url)[0]
    buyer.go("/wallet/")
    assert (buyer.amount("Available"), buyer.amount("Held")) == (TOP_UPS - total, total)
    return held


def job_file(name, run, reservation):
    """A job of one unit inside the reservation."""
    return JOB.format(name=name, run=run, reservation=reservation)


def submits(buyer, file):
    """A job by its page; its address once it is there."""
    buyer.go("/jobs/new/")
    buyer.fill(file=file)
    buyer.press("Submit job")
    buyer.page.wait_for_url("**/jobs/job_*/")
    return "/jobs/" + buyer.page.url.rstrip("/").rsplit("/", 1)[-1] + "/"


def runs_a_job_inside(buyer, held):
    buyer.go(f"/reservations/{held}/")
    buyer.press("Run a job inside", role="link")
    assert held in buyer.page.locator("textarea[name=file]").input_value()
    job = submits(buyer, job_file("inside", "sleep 6; echo inside", held))
    buyer.waits_to_be("succeeded", job)
    assert minor(buyer.page.locator(".cost .big b").inner_text()) > 0
    buyer.look("11-job-inside")


def gives_half_back(buyer, held):
    buyer.go(f"/reservations/{held}/")
    before = buyer.amount("Held")
    buyer.fill(units="1")
    buyer.press("Show what it comes to")
    buyer.look("12-half-back")
    buyer.press("Give them back")
    buyer.reads("The reservation is changed")
    assert buyer.amount("Held") < before
    buyer.look("13-given-back")


def loses_work_by_the_providers_fault(buyer, held):
    """The host of a job dies with the power, and another try ends the work; the credit for what was promised."""
    market = buyer.market
    job = submits(buyer, job_file("unlucky", "for i in $(seq 20); do echo step $i; sleep 1; done", held))
    buyer.waits_to_read("step 2", job)
    states = {f"agent-{number}": str(market.folder.agent_state(number)) for number in (1, 2)}
    name = next(name for name, state in states.items() if processes_naming(state))
    for pid in [market.pid_of(name), *processes_naming(states[name])]:
        os.kill(pid, signal.SIGKILL)
    buyer.waits_to_read("Service credit", job)
    buyer.waits_to_be("succeeded", job)
    buyer.look("14-credit")
    credit = buyer.amount("Service credit")
    assert credit > 0
    return credit


def is_paid_out(provider):
    wake(provider.market, "mature_charges")
    provider.waits_to_read("goes out", "/console/payouts/")
    provider.look("15-payable")
    wake(provider.market, "make_payouts")
    provider.waits_to_be("paid", "/console/payouts/")
    provider.look("16-paid-out")
    provider.page.locator("#main table a").first.click()
    provider.page.wait_for_url("**/console/payouts/pot_*/")
    provider.look("17-payout")
    taken_off = sum(provider.amounts("Taken off for credits that were owed"))
    return {
        "amount": provider.amount("Transfer"),
        "matured": provider.amount("Matured charges below"),
        "taken_off": taken_off,
    }


def gives_it_up(provider, held):
    """The provider reads what it owes, then gives up what is left of the reservation; what was shown."""
    provider.go("/console/reservations/")
    provider.look("18-promises")
    provider.go(f"/console/reservations/{held}/")
    shown = {name: provider.amount(words) for name, words in TOLD.items()}
    provider.look("19-giving-up")
    provider.page.get_by_label("the power was lost").check()
    provider.press("Give the reservation up")
    provider.reads("You gave it up: the power was lost.")
    provider.look("20-given-up")
    return shown


def is_billed(buyer, held):
    """An invoice of the reservation as a page and a table, on paper too; what its page said of the same money."""
    buyer.go(f"/reservations/{held}/")
    buyer.reads("The provider gave it up: the power was lost.")
    charged, credits_ = buyer.amount("Charged so far"), buyer.amounts("Service credit")
    buyer.look("21-to-bill")
    buyer.press("Invoice it now")
    buyer.reads("TEST: no payment was made")
    buyer.look("22-invoice")
    total = buyer.amount("Total")
    rows = list(csv.DictReader(StringIO(buyer.file("CSV").decode())))
    paper = buyer.file("PDF")
    assert paper.startswith(b"%PDF-")
    (buyer.pictures / "invoice.pdf").write_bytes(paper)
    buyer.go("/invoices/")
    buyer.look("23-invoices")
    lines = sum(cents(row["amount"]) for row in rows)
    return {"total": total, "lines": lines, "charged": charged, "credits": credits_}


def reads_the_wallet(buyer):
    """What is there, and what moved by kind, out of the month's file."""
    buyer.go("/wallet/")
    buyer.look("24-wallet")
    rows = list(csv.DictReader(StringIO(buyer.file("CSV").decode())))
    kinds = Counter[str]()
    for row in rows:
        kinds[row["kind"]] += cents(row["available"])
    return {"available": buyer.amount("Available"), "held": buyer.amount("Held"), "movements": kinds}


def reconciles_to_zero(operator):
    operator.sign_in_as("operator")
    operator.go("/admin/money/")
    operator.fill(day=f"{utc_now():%Y-%m-%d}")
    operator.press("Compare", on="#content-main")
    operator.look("25-desk")
    operator.reads("It adds up.")
    operator.reads("balance transactions.")  # there were some


def checked(market):
    """What the independent checker says of the whole database."""
    command = [sys.executable, "manage.py", "verify_invariants", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, env=market.env, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    return {"ok": told["ok"], "anomalies": sum(each["anomalies_total"] for each in told["checks"])}
