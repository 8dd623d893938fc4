"""A larger budget for a job that stops by one, from its page."""

import re

import pytest

from marketplace.ledger.models import Hold
from scheduler.models import Job
from tests.frontend.stage import FILE, shelf, submit, text_of
from tests.market import make_organization

pytestmark = pytest.mark.django_db
STOP = re.sub(r"time_limit_s: \d+", "time_limit_s: 36000", FILE) + "    max_total: 10\n    budget_stop: true\n"


@pytest.fixture
def buyer():
    return make_organization("Lab", funds=500)


@pytest.fixture
def job(buyer):
    shelf()
    return submit(buyer, STOP)


def to(browser, job, amount):
    return text_of(browser.post(f"/jobs/{job.public_id}/raise/", {"amount": amount}, follow=True))


def held():
    return Hold.objects.open().get().rest, Job.objects.get().ceiling_minor


def test_a_larger_budget_is_held_and_told(browser, job):
    assert "A larger budget (USD)" in text_of(browser.get(f"/jobs/{job.public_id}/"))

    said = to(browser, job, "0.25")

    assert "It may cost up to $0.25 now; what runs goes on until that is used up." in said
    assert held() == (25, 25)


@pytest.mark.parametrize(
    ("amount", "says"),
    [("0.10", "It may cost $0.10 already: write a larger amount."), ("much", "Write an amount such as 25.00.")],
)
def test_what_is_no_larger_amount_is_refused_in_words(browser, job, amount, says):
    assert says in to(browser, job, amount)

    assert held() == (10, 10)


def test_more_than_the_wallet_has_leads_to_a_top_up_and_changes_nothing(browser, job):
    page = browser.post(f"/jobs/{job.public_id}/raise/", {"amount": "6"}, follow=True)

    assert "what runs goes on" not in text_of(page)
    assert "is missing" in text_of(page)
    assert f"next=%2Fjobs%2F{job.public_id}%2F" in page.content.decode()
    assert held() == (10, 10)


def test_a_job_without_such_a_budget_shows_no_form_for_it(browser, buyer):
    shelf()
    plain = submit(buyer, FILE)

    assert "A larger budget" not in text_of(browser.get(f"/jobs/{plain.public_id}/"))


def test_an_ended_job_shows_no_form_for_it(browser, job):
    browser.post(f"/jobs/{job.public_id}/cancel/")

    assert "A larger budget" not in text_of(browser.get(f"/jobs/{job.public_id}/"))
