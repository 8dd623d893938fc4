"""The sandbox processor's pages: what a person chooses happens, and nobody is led away from the site."""

from datetime import timedelta

import pytest
from django.test import Client

from marketplace.common.clock import utc_now
from marketplace.ledger.gateways import gateway_of
from marketplace.ledger.gateways.sandbox_models import SandboxEvent, SandboxPayee, SandboxSession
from tests.ledger.gateways.scene import a_key

pytestmark = pytest.mark.django_db
DONE, LEFT = "http://testserver/wallet/?session={CHECKOUT_SESSION_ID}", "http://testserver/wallet/"


@pytest.fixture
def gateway():
    return gateway_of("sandbox")


@pytest.fixture
def person():
    return Client()


def make_page(gateway, *, success=DONE, cancel=LEFT, amount=10_000):
    page = gateway.create_topup(
        key=a_key(), asset="USD", amount=amount, customer="org_1", save_method=False, success_url=success,
        cancel_url=cancel,
    )  # fmt: skip
    return page.session, f"/sandbox/checkout/{page.session}/"


def link_of(gateway, *, back="http://testserver/console/", again="http://testserver/console/?again=1"):
    payee = gateway.create_payee(key=a_key(), organization="org_2", country="DE", email="pay@example.test")
    address = gateway.payee_link(payee=payee.id, return_url=back, refresh_url=again)
    return payee.id, "/" + address.split("/", 3)[3]


def test_a_page_shows_the_amount_every_outcome_and_that_no_money_moves(gateway, person):
    _, page = make_page(gateway)

    html = person.get(page).content.decode()

    assert "$100.00" in html
    assert "Test money: no payment is made." in html
    for outcome in ("ok", "declined", "insufficient", "3ds_ok", "3ds_fail", "slow", "then_dispute"):
        assert f'value="{outcome}"' in html
    assert "<input" not in html.replace('<input type="hidden"', "")


def test_it_says_the_same_in_chinese(gateway, person):
    _, page = make_page(gateway)
    person.cookies["django_language"] = "zh-hans"

    assert "测试货币：不会发生真实付款。" in person.get(page).content.decode()


@pytest.mark.parametrize(
    ("outcome", "state"), [("ok", "succeeded"), ("then_dispute", "succeeded"), ("slow", "processing")]
)
def test_who_paid_comes_back_to_where_they_came_from(gateway, person, outcome, state):
    session, page = make_page(gateway)

    answer = person.post(page, {"outcome": outcome})

    assert (answer.status_code, answer["Location"]) == (302, f"http://testserver/wallet/?session={session}")
    assert gateway.fetch_payment(session).state == state


@pytest.mark.parametrize(("outcome", "said"), [
    ("declined", "The card was declined."), ("insufficient", "There is too little on the card."),
])  # fmt: skip
def test_a_refused_card_is_told_on_the_page_which_stays_open(gateway, person, outcome, said):
    session, page = make_page(gateway)

    answer = person.post(page, {"outcome": outcome}, follow=True)

    assert said in answer.content.decode()
    assert person.post(page, {"outcome": "ok"})["Location"].startswith("http://testserver/wallet/")
    assert gateway.fetch_payment(session).captured == 10_000


@pytest.mark.parametrize(("outcome", "answer", "paid"), [
    ("3ds_ok", "yes", 10_000), ("3ds_ok", "no", 0), ("3ds_ok", "", 0), ("3ds_fail", "yes", 0),
])  # fmt: skip
def test_the_bank_asks_on_a_page_of_its_own(gateway, person, outcome, answer, paid):
    session, page = make_page(gateway)
    asked = person.post(page, {"outcome": outcome}, follow=True)
    bank = asked.redirect_chain[-1][0]
    after = person.post(bank, {"answer": answer})

    assert bank == f"/sandbox/3ds/{session}/"
    assert "Is it you?" in asked.content.decode()
    assert after["Location"] == (f"http://testserver/wallet/?session={session}" if paid else page)
    assert gateway.fetch_payment(session).captured == paid
    if not paid:
        assert "did not confirm" in person.get(page).content.decode()


def test_a_form_sent_twice_pays_once(gateway, person):
    session, page = make_page(gateway)
    person.post(page, {"outcome": "ok"})
    again = person.post(page, {"outcome": "ok"}, follow=True)

    assert "This page is done" in again.content.decode()
    assert len(list(gateway.balance_transactions(utc_now().date()))) == 1
    assert gateway.fetch_payment(session).captured == 10_000


def test_a_page_that_is_over_takes_no_payment(gateway, person):
    session, page = make_page(gateway)
    SandboxSession.objects.filter(public_id=session).update(expires_at=utc_now() - timedelta(seconds=1))

    answer = person.post(page, {"outcome": "ok"}, follow=True)

    assert "This page is over" in answer.content.decode()
    assert gateway.fetch_payment(session).intent == ""


@pytest.mark.parametrize("outcome", ["", "OK", "free"])
def test_an_outcome_that_is_none_changes_nothing(gateway, person, outcome):
    session, page = make_page(gateway)

    assert person.post(page, {"outcome": outcome})["Location"] == page
    assert gateway.fetch_payment(session).intent == ""


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.test/", "//evil.test/", "javascript:alert(1)", "http://testserver@evil.test/"]
)
def test_nobody_is_led_to_another_site(gateway, person, elsewhere):
    session, page = make_page(gateway, success=elsewhere, cancel=elsewhere)
    payee, link = link_of(gateway, back=elsewhere, again=elsewhere)

    assert f'href="{elsewhere}"' not in person.get(page).content.decode()
    assert person.post(page, {"outcome": "ok"})["Location"] == "/"
    assert person.post(link, {"told": "complete"})["Location"] == "/"
    assert person.get(link)["Location"] == "/"
    assert gateway.fetch_payment(session).captured == 10_000
    assert gateway.fetch_payee(payee).enabled


def test_forms_are_protected_against_other_sites(gateway):
    session, page = make_page(gateway)
    payee, link = link_of(gateway)
    stranger = Client(enforce_csrf_checks=True)

    assert stranger.post(page, {"outcome": "ok"}).status_code == 403
    assert stranger.post(link, {"told": "complete"}).status_code == 403
    assert gateway.fetch_payment(session).intent == ""
    assert not gateway.fetch_payee(payee).submitted


@pytest.mark.parametrize(
    "path", ["/sandbox/checkout/cs_test_no/", "/sandbox/3ds/cs_test_no/", "/sandbox/payees/acct_no/"]
)
def test_what_is_not_there_is_not_found(person, path):
    assert person.get(path).status_code == 404
    assert person.post(path, {"outcome": "ok"}).status_code == 404


def test_the_bank_asks_nothing_that_was_not_begun(gateway, person):
    session, page = make_page(gateway)

    assert person.get(f"/sandbox/3ds/{session}/")["Location"] == page
    assert person.post(f"/sandbox/3ds/{session}/", {"answer": "yes"})["Location"] == page
    assert gateway.fetch_payment(session).intent == ""


@pytest.mark.parametrize(("told", "enabled"), [("complete", True), ("incomplete", False)])
def test_a_payee_tells_of_itself_and_comes_back(gateway, person, told, enabled):
    payee, link = link_of(gateway)
    html = person.get(link).content.decode()
    answer = person.post(link, {"told": told})

    assert "A document that shows who you are" in html
    assert "pay@example.test" in html
    assert answer["Location"] == "http://testserver/console/"
    now = gateway.fetch_payee(payee)
    assert (now.submitted, now.enabled) == (True, enabled)
    assert SandboxEvent.objects.get().type == "account.updated"


def test_a_payees_page_opens_by_its_newest_link_once_and_for_a_while(gateway, person):
    payee, old = link_of(gateway)
    new = (
        "/"
        + gateway.payee_link(payee=payee, return_url="http://testserver/a/", refresh_url="http://testserver/b/").split(
            "/", 3
        )[3]
    )
    before = person.get(old)["Location"], person.get(f"/sandbox/payees/{payee}/")["Location"]
    SandboxPayee.objects.update(link_until=utc_now())
    late = person.post(new, {"told": "complete"})["Location"]
    SandboxPayee.objects.update(link_until=utc_now() + timedelta(minutes=1))
    person.post(new, {"told": "incomplete"})
    used = person.post(new, {"told": "complete"})["Location"]

    assert {*before, late, used} == {"http://testserver/b/"}
    assert not gateway.fetch_payee(payee).enabled


def test_a_payee_that_tells_nothing_known_changes_nothing(gateway, person):
    payee, link = link_of(gateway)

    assert person.post(link, {"told": "lies"})["Location"] == link
    assert not gateway.fetch_payee(payee).submitted


def test_pages_are_never_kept_and_never_found_by_search_engines(gateway, person):
    _, page = make_page(gateway)
    answer = person.get(page)

    assert "no-store" in answer["Cache-Control"]
    assert '<meta name="robots" content="noindex">' in answer.content.decode()


def test_who_came_by_another_name_of_the_host_stays_on_it(gateway, settings):
    back = f"{settings.WEB_URL}/wallet/topups/pay_1/"
    _, page = make_page(gateway, success=back, cancel=back)

    answer = Client(headers={"host": "localhost"}).post(page, {"outcome": "ok"})

    assert answer["Location"] == "/wallet/topups/pay_1/"
