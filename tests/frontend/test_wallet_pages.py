"""The wallet: what there is, paying in and sending back, and every movement in words."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketplace.booking.services import confirm, hold_units
from marketplace.common.clock import hour_floor
from marketplace.ledger import outbox
from marketplace.ledger.gateways import page_hosts
from marketplace.ledger.gateways.base import GatewayUnknown, TopupPage
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.models import GatewayCall, Payment, Refund
from marketplace.ledger.payments import fail_payment
from marketplace.ledger.wallets import top_up_offline, wallet_of
from tests.frontend.stage import FILE, HOUR, shelf, submit, text_of, value_of
from tests.ledger.cashier import MONEY
from tests.market import make_organization

pytestmark = pytest.mark.django_db
HOUR_LONG = FILE.replace("120", "3600")  # long enough to cost something


@pytest.fixture
def buyer(cashier):
    return cashier.buyer


def top_up(browser, amount="100.00", **fields):
    return browser.post("/wallet/", {"do": "topup", "amount": amount, "request_key": "key_a"} | fields)


def wallet(buyer):
    found = wallet_of(organization=buyer, **MONEY)
    return found.available, found.held, found.frozen


def test_a_new_wallet_is_empty_says_so_and_says_that_the_money_is_no_money(browser):
    text = text_of(browser.get("/wallet/"))

    assert "Available $0.00" in text
    assert "Nothing has moved yet" in text
    assert "Test money. No payment is made" in text
    assert "Send money back" not in text


def test_a_wallet_of_live_money_has_no_such_band(browser, settings):
    settings.LIVEMODE = True

    assert "Test money" not in text_of(browser.get("/wallet/"))


def test_a_stranger_is_asked_to_sign_in():
    assert "/accounts/login/" in Client().get("/wallet/")["Location"]


def test_who_tops_up_is_led_to_the_processors_page_and_back_and_has_the_money(browser, buyer, cashier):
    away = top_up(browser)
    payment = Payment.objects.get()
    paid = browser.post(away["Location"], {"outcome": "ok"})
    back = urlsplit(paid["Location"]).path
    page = text_of(browser.get(back))

    assert away["Location"] == f"/sandbox/checkout/{payment.session}/"
    assert back == f"/wallet/topups/{payment.public_id}/"
    assert "Paid in Wallet top-up $100.00 $100.00 is in the wallet, which now has $100.00 available." in page
    assert wallet(buyer) == (10_000, 0, 0)
    cashier.hear()
    assert wallet(buyer) == (10_000, 0, 0), "the processor's own message counts the same fact"


def test_the_header_shows_what_is_available_and_leads_to_the_wallet(browser, buyer, cashier):
    cashier.topped_up(12_345)

    html = browser.get("/").content.decode()

    assert re.search(r'<a class="tool box opt num" href="/wallet/">.*?\$123\.45</a>', html, re.DOTALL)
    assert "$123.45" not in Client().get("/").content.decode()


def test_a_form_sent_twice_starts_one_topup(browser):
    first, second = top_up(browser), top_up(browser)

    assert first["Location"] == second["Location"]
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(("amount", "says"), [
    ("", "This field is required."), ("a lot", "Write an amount such as 25.00."), ("1e3", "Write an amount such as"),
    ("10.005", "Write an amount such as 25.00."), ("-5", "Write an amount such as"), ("0.00", "more than nothing"),
    ("4.99", "A top-up is from $5.00 to $10,000.00."), ("10,000.01", "A top-up is from $5.00 to $10,000.00."),
])  # fmt: skip
def test_an_amount_that_cannot_be_paid_in_is_refused_at_its_field_and_leaves_nothing(browser, amount, says):
    answer = top_up(browser, amount)

    assert answer.status_code == 422
    assert re.search(rf'id="topup_amount-error"><span>[^<]*{re.escape(says)}', answer.content.decode())
    assert value_of(answer.content.decode(), "amount") == amount if amount else True
    assert not Payment.objects.exists()


def test_a_new_buyer_reads_how_much_may_still_be_paid_in(browser, buyer):
    buyer.created_at = timezone.now() - timedelta(days=2)
    buyer.save(update_fields=["created_at"])
    top_up(browser, "400.00")

    answer = top_up(browser, "100.01", request_key="key_b")

    assert "In its first 30 days an organization tops up at most $500.00; $100.00 is left of that." in text_of(answer)
    assert Payment.objects.count() == 1


def test_an_hour_of_many_topups_ends_with_a_sentence(browser):
    for number in range(10):
        top_up(browser, "5.00", request_key=f"key_{number}")

    answer = top_up(browser, "5.00", request_key="key_10")

    assert "Too many top-ups in one hour; try again in" in text_of(answer)
    assert Payment.objects.count() == 10


def test_a_processor_that_does_not_answer_at_once_leaves_the_buyer_on_a_page_that_waits(browser, cashier, monkeypatch):
    monkeypatch.setattr(SandboxGateway, "create_topup", lambda *_, **__: (_ for _ in ()).throw(GatewayUnknown("away")))
    here = top_up(browser)["Location"]
    waiting = browser.get(here)
    monkeypatch.undo()
    outbox.send_due(now=timezone.now() + timedelta(minutes=1))
    ready = browser.get(here)

    payment = Payment.objects.get()
    assert here == f"/wallet/topups/{payment.public_id}/"
    assert "The payment page is being prepared" in text_of(waiting)
    assert 'hx-trigger="every 4s"' in waiting.content.decode()
    assert '<noscript><meta http-equiv="refresh"' in waiting.content.decode()
    assert f'href="/sandbox/checkout/{payment.session}/"' in ready.content.decode()


def test_a_processors_page_on_a_host_that_forms_may_not_lead_to_is_a_link_on_ours(browser, monkeypatch):
    page = TopupPage(session="cs_1", url="https://pay.example.test/cs_1")
    monkeypatch.setattr(SandboxGateway, "create_topup", lambda *_, **__: page)
    monkeypatch.setattr(SandboxGateway, "fetch_payment", lambda *_: (_ for _ in ()).throw(GatewayUnknown("away")))
    here = top_up(browser)["Location"]

    assert here.startswith("/wallet/topups/")
    assert 'href="https://pay.example.test/cs_1"' in browser.get(here).content.decode()


def test_forms_may_lead_to_stripes_own_pages_where_stripe_takes_the_money(settings):
    settings.PAYMENT_GATEWAY = "stripe"

    assert page_hosts() == ("https://checkout.stripe.com", "https://connect.stripe.com")
    assert settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] == ["'self'"], "the sandbox's are our own"


@pytest.mark.parametrize(("outcome", "says", "waits"), [
    ("declined", "Not paid yet", True), ("slow", "On its way", True), ("ok", "Paid in", False),
])  # fmt: skip
def test_the_page_of_a_topup_says_where_it_stands_and_looks_again_only_while_that_is_open(
    browser, cashier, outcome, says, waits
):
    payment = cashier.start()
    cashier.pay(payment, outcome)

    page = browser.get(f"/wallet/topups/{payment.public_id}/")

    assert f"<h1>{says}</h1>" in page.content.decode()
    assert ("hx-trigger" in page.content.decode()) is waits


def test_a_topup_that_was_given_up_or_refused_offers_another_with_the_same_amount(browser, cashier):
    given_up, refused = cashier.start(6_000), cashier.start(7_000)
    Payment.objects.filter(pk=refused.pk).update(session=None)
    fail_payment(public_id=refused.public_id, reason="card_declined", now=timezone.now())
    cashier.passes(timedelta(days=2))

    assert "Nobody paid within a day" in text_of(browser.get(f"/wallet/topups/{given_up.public_id}/"))
    page = browser.get(f"/wallet/topups/{refused.public_id}/")
    assert "The card was declined. Nothing was charged." in text_of(page)
    assert 'href="/wallet/?amount=70.00#topup"' in page.content.decode()


def test_another_organizations_topup_is_not_there(browser, cashier):
    payment = cashier.start(buyer=make_organization(funds=0))

    assert browser.get(f"/wallet/topups/{payment.public_id}/").status_code == 404


def test_who_lacked_money_pays_in_what_is_missing_and_goes_on_where_they_were(browser, cashier):
    asked = browser.get("/wallet/?amount=7.25&next=/checkout/qte_1/")
    html = asked.content.decode()
    away = top_up(browser, value_of(html, "amount"), next="/checkout/qte_1/")
    paid = browser.post(away["Location"], {"outcome": "ok"})
    done = browser.get(urlsplit(paid["Location"]).path)

    assert "$7.25 is missing for what you wanted." in text_of(asked)
    assert '<input type="hidden" name="next" value="/checkout/qte_1/">' in html
    assert Payment.objects.get().amount == 725
    assert 'href="/checkout/qte_1/" >Go on where you were</a>' in done.content.decode()


def test_less_than_the_least_topup_is_raised_to_it(browser):
    assert value_of(browser.get("/wallet/?amount=0.01").content.decode(), "amount") == "5.00"


@pytest.mark.parametrize("elsewhere", ["https://evil.test/", "//evil.test/", "javascript:alert(1)"])
def test_nobody_is_led_to_another_site(browser, elsewhere):
    html = browser.get("/wallet/", {"amount": "10", "next": elsewhere}).content.decode()
    away = top_up(browser, next=elsewhere)
    paid = browser.post(away["Location"], {"outcome": "ok"})

    assert elsewhere not in html
    assert elsewhere not in browser.get(urlsplit(paid["Location"]).path).content.decode()


def test_money_goes_back_to_the_card_and_the_page_says_how_much_may(browser, buyer, cashier):
    cashier.topped_up(10_000)

    before = text_of(browser.get("/wallet/"))
    answer = browser.post("/wallet/", {"do": "refund", "amount": "40", "request_key": "key_r"}, follow=True)
    outbox.send_due(now=timezone.now())

    assert "Up to $100.00 can go back to the card that paid it, the newest top-up first." in before
    assert "$40.00 is on its way back to the card that paid" in text_of(answer)
    assert Refund.objects.get().amount == 4_000
    assert wallet(buyer) == (6_000, 0, 0)
    assert "Sent back to the card that paid" in text_of(browser.get("/wallet/"))


def test_more_than_was_paid_by_card_does_not_go_back_and_nothing_is_written(browser, buyer, cashier):
    cashier.topped_up(10_000)

    answer = browser.post("/wallet/", {"do": "refund", "amount": "100.01", "request_key": "key_r"})

    assert answer.status_code == 422
    assert "$100.00 was paid by card and can go back." in text_of(answer)
    assert not Refund.objects.exists()
    assert GatewayCall.objects.filter(op="create_refund").count() == 0
    assert wallet(buyer) == (10_000, 0, 0)


def test_a_refund_sent_twice_goes_back_once(browser, buyer, cashier):
    cashier.topped_up(10_000)
    for _ in range(2):
        browser.post("/wallet/", {"do": "refund", "amount": "40", "request_key": "key_r"})

    assert Refund.objects.count() == 1
    assert wallet(buyer) == (6_000, 4_000, 0)


def test_a_dispute_is_told_with_what_it_freezes(browser, cashier):
    payment = cashier.topped_up(10_000)
    cashier.dispute(payment)
    cashier.hear()

    text = text_of(browser.get("/wallet/"))

    assert "A card payment is disputed." in text
    assert "Frozen $100.00" in text
    assert "Frozen: a card payment is disputed Frozen +$100.00" in text


def test_movements_are_told_in_words_with_a_link_to_what_they_were_for(browser, buyer, cashier):
    cashier.topped_up(10_000)
    offer = shelf()
    job = submit(buyer, HOUR_LONG)
    now = timezone.now()
    start = hour_floor(now) + 2 * HOUR
    held = hold_units(buyer=buyer, offer=offer, units=1, start=start, end=start + HOUR, now=now)
    confirm(reservation=held, now=now)

    html = browser.get("/wallet/").content.decode()

    print(text_of(browser.get("/wallet/")))
    assert f'<a href="/jobs/{job.public_id}/">Held for job hello</a>' in html
    assert f'<a href="/reservations/{held.public_id}/">Held for the reservation of {offer.title}</a>' in html
    assert f'<a href="/wallet/topups/{Payment.objects.get().public_id}/">Paid in by card</a>' in html


def test_a_longer_history_costs_no_more_queries(browser, buyer, cashier):
    cashier.topped_up(10_000)
    shelf()

    def queries():
        with CaptureQueriesContext(connection) as caught:
            browser.get("/wallet/")
        return len(caught)

    submit(buyer, HOUR_LONG)
    before = queries()
    for _ in range(3):
        submit(buyer, HOUR_LONG)

    assert queries() == before


def test_a_month_is_a_table_to_file_and_its_neighbours_are_a_link_away(browser, cashier):
    cashier.topped_up(10_000)
    now = timezone.now()

    table = browser.get(f"/wallet/statement.csv?month={now:%Y-%m}")
    nonsense = browser.get("/wallet/?month=2026-13")

    assert table["Content-Disposition"] == f'attachment; filename="wallet-{now:%Y-%m}.csv"'
    assert table.content.decode().splitlines()[1].split(",")[2:8] == [
        "topup", Payment.objects.get().intent, "100.00", "0.00", "0.00", "100.00",
    ]  # fmt: skip
    assert "Paid in by card" in text_of(nonsense), "an unknown month is the present one"


def test_a_long_month_is_told_in_parts(browser, buyer, cashier):
    for number in range(51):
        top_up_offline(organization=buyer, amount=1, ref=f"r{number}", now=timezone.now(), actor="test", **MONEY)

    first = browser.get("/wallet/").content.decode()
    older = re.search(r'href="(\?starting_after=jrn_\w+)"', first)
    rest = text_of(browser.get(f"/wallet/{older[1]}"))

    assert "reference r50" in first
    assert "reference r0 " not in first
    assert "reference r0 " in rest
    assert "$0.01 $0.01" not in first


def test_the_same_pages_speak_chinese(browser, cashier):
    payment = cashier.topped_up(10_000)
    browser.cookies["django_language"] = "zh-hans"

    assert "可用" in text_of(browser.get("/wallet/"))
    assert "已到账" in text_of(browser.get(f"/wallet/topups/{payment.public_id}/"))


def test_a_stopped_processor_is_not_asked_even_for_a_person_who_waits(browser):
    outbox.stop(gateway="sandbox", reason="restored", now=timezone.now())

    here = top_up(browser)["Location"]

    assert "The payment page is being prepared" in text_of(browser.get(here))
    assert GatewayCall.objects.get().tries == 0
