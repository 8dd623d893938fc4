"""Budgets on pages: what is capped and how much is used of it; set, changed and ended by its members."""

import pytest
from django.utils import timezone

from accounts.models import Role
from accounts.services import issue_key
from marketplace.booking.standing import Wish, place_order
from marketplace.ledger.budgets import period_of, set_budget
from marketplace.ledger.errors import BudgetExceeded
from marketplace.ledger.holds import hold_money
from marketplace.ledger.models import Budget, Hold
from tests.frontend.stage import shelf, signed_in, text_of
from tests.ledger.cashier import MONEY
from tests.market import make_organization

pytestmark = pytest.mark.django_db
PAGE = "/wallet/budgets/"


@pytest.fixture
def buyer():
    return make_organization("Lab", funds=100_000)


def set_one(browser, **changes):
    form = {"whose": "organization", "limit": "100", "period": "month", "request_key": "key_a"} | changes
    return browser.post(PAGE, form, follow=True)


def one(browser, do, **fields):
    row = Budget.objects.get()
    form = {"do": do, "version": str(row.version)} | fields
    return browser.post(f"{PAGE}{row.public_id}/", form, follow=True)


def held(buyer, amount):
    return hold_money(organization=buyer, amount=amount, subject="rsv_x", now=timezone.now(), actor="test", **MONEY)


def make_key(buyer, name, **fields):
    return issue_key(organization=buyer, created_by=None, name=name, now=timezone.now(), **fields)[0]


def limits():
    return [(each.limit_minor, each.ended_at is not None) for each in Budget.objects.order_by("pk")]


def test_without_a_budget_the_page_says_what_limits_orders_and_how_a_job_is_capped(browser):
    told = text_of(browser.get(PAGE))

    assert "No budget yet" in told
    assert "max_total" in told
    assert f'href="{PAGE}"' in browser.get("/wallet/").content.decode()


def test_a_budget_of_the_organization_is_set_once_and_shows_what_is_used_of_it(browser, buyer):
    first, again = (set_one(browser) for _ in range(2))
    held(buyer, 8_500)

    told = text_of(browser.get(PAGE))

    assert "The budget is set" in text_of(first)
    assert again.status_code == 200
    assert limits() == [(10_000, False)]
    assert "The whole organization" in told
    assert "85% used" in browser.get(PAGE).content.decode()
    assert "$85.00 held, $0.00 spent" in told
    assert "$15.00 Nearly used up" in told


def test_a_key_is_capped_alone_and_an_agents_is_not_offered(browser, buyer):
    key = make_key(buyer, "nightly", scopes=["jobs:write"])
    agent = make_key(buyer, "machine", scopes=["agent"], site="sit_x")

    form = browser.get(PAGE).content.decode()
    told = set_one(browser, whose=key.public_id, period="ever")

    assert key.public_id in form
    assert agent.public_id not in form
    assert (Budget.objects.get().api_key, Budget.objects.get().period) == (key, "ever")
    assert "nightly" in text_of(told)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"limit": "0"}, "It must be more than nothing."),
        ({"limit": "much"}, "Write an amount such as"),
        ({"whose": "key_of_nobody"}, "Select a valid choice"),
        ({"period": "week"}, "Select a valid choice"),
    ],
)
def test_what_is_no_budget_is_said_at_the_form_and_nothing_is_set(browser, changes, says):
    answer = set_one(browser, **changes)

    assert (answer.status_code, says in text_of(answer)) == (422, True)
    assert not Budget.objects.exists()


def test_a_second_budget_for_the_same_is_refused_in_words(browser):
    set_one(browser)

    answer = set_one(browser, request_key="key_b", limit="200")

    assert "There is such a budget already" in text_of(answer)
    assert limits() == [(10_000, False)]


def test_another_limit_holds_at_once(browser, buyer):
    set_one(browser)
    period_of(budget=Budget.objects.get(), now=timezone.now())

    told = text_of(one(browser, "limit", limit="50"))

    assert "The limit is $50.00 from now on." in told
    assert limits() == [(5_000, False)]
    with pytest.raises(BudgetExceeded):
        held(buyer, 5_001)
    assert not Hold.objects.exists()


def test_a_limit_below_what_is_used_names_what_is(browser, buyer):
    set_one(browser)
    held(buyer, 8_500)

    answer = one(browser, "limit", limit="84.99")

    assert answer.status_code == 422
    assert "$85.00 is held and spent in it already: write at least that." in text_of(answer)
    assert limits() == [(10_000, False)]


@pytest.mark.parametrize("do", ["limit", "end"])
@pytest.mark.parametrize("version", ["0", "7", "", "x"])
def test_what_somebody_changed_meanwhile_is_looked_at_again_first(browser, do, version):
    set_one(browser)

    answer = one(browser, do, limit="50", version=version)

    assert "Somebody changed it meanwhile; look at it again." in text_of(answer)
    assert limits() == [(10_000, False)]


def test_an_ended_budget_caps_nothing_and_is_gone_from_the_page(browser, buyer):
    set_one(browser)

    told = text_of(one(browser, "end"))

    assert "The budget is ended" in told
    assert "No budget yet" in told
    assert held(buyer, 20_000).amount == 20_000
    assert browser.get(f"{PAGE}{Budget.objects.get().public_id}/").status_code == 404


def test_the_cap_of_a_standing_order_leads_to_its_order_and_is_not_ended_here(browser, buyer):
    shelf()
    order = place_order(
        buyer=buyer, wish=Wish(1, {"accelerator": ["vCPU"], "price__lte": 100}, 5_000), now=timezone.now()
    )

    page = browser.get(PAGE).content.decode()

    assert f'href="/reservations/standing/{order.public_id}/"><b>1 unit of vCPU</b>' in page
    assert one(browser, "end").status_code == 404
    assert limits() == [(5_000, False)]


def test_another_organizations_budget_is_not_there(browser):
    set_one(browser)
    stranger = signed_in(make_organization("Stranger"), Role.BUYER)

    assert one(stranger, "end").status_code == 404
    assert "No budget yet" in text_of(stranger.get(PAGE))
    assert limits() == [(10_000, False)]


def test_a_limit_of_nothing_is_shown_as_used_up(browser, buyer):
    set_budget(organization=buyer, api_key=None, limit_minor=0, now=timezone.now(), **MONEY)

    assert "$0.00 Used up" in text_of(browser.get(PAGE))


def test_the_page_speaks_chinese_too(browser):
    set_one(browser)
    browser.cookies["django_language"] = "zh-hans"

    page = text_of(browser.get(PAGE))

    assert "整个组织" in page
    assert "每个自然月" in page
