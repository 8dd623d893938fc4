"""The desk's Money page: books that sum to nothing, a processor that agrees or is named, and operators in twos."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from accounts.services import add_member
from marketplace.booking.models import ServiceCredit
from marketplace.ledger import outbox
from marketplace.ledger.gateways.base import GatewayDeclined, GatewayUnknown
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.models import GatewayCall, GatewayStop, Journal, JournalRequest
from marketplace.ledger.wallets import wallet_of
from tests.booking.earning import deal_of, matured
from tests.frontend.stage import text_of
from tests.ledger.cashier import MONEY
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db
HERE = "/admin/money/"


@pytest.fixture(autouse=True)
def _one_factor(settings):
    settings.REQUIRE_OPERATOR_MFA = False


def browser(role, name):
    user = User.objects.create_user(f"{name}@example.test", "a long password")
    add_member(organization=make_organization(), user=user, role=role, now=NOON)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ann():
    return browser(Role.OPERATOR, "ann")


@pytest.fixture
def ben():
    return browser(Role.OPERATOR, "ben")


def book(client, kind, key="key_a", **fields):
    return client.post(f"{HERE}book/{kind}/", {"reason": "because", "request_key": key, **fields})


def available(buyer):
    return wallet_of(organization=buyer, **MONEY).available


def test_strangers_buyers_and_providers_stay_outside():
    for role in (Role.BUYER, Role.PROVIDER):
        outsider = browser(role, str(role))
        assert outsider.get(HERE).status_code == 302
        assert book(outsider, "goodwill").status_code == 302
    assert Client().get(HERE).status_code == 302
    assert not JournalRequest.objects.exists()


def test_an_auditor_looks_and_does_nothing(cashier):
    auditor = browser(Role.AUDITOR, "eve")
    page = auditor.get(HERE)

    assert page.status_code == 200
    assert "Book by hand" not in text_of(page)
    for path, form in (("book/goodwill/", {}), ("outbox/", {"do": "stop", "reason": "x"}), ("requests/jrq_1/", {})):
        assert auditor.post(HERE + path, form).status_code == 403
    assert not GatewayStop.objects.exists()


def test_the_trial_balance_sums_to_nothing_and_says_so(ann, cashier):
    cashier.topped_up(10_000)

    text = text_of(ann.get(HERE))

    assert "Trial balance, USD test money" in text
    assert "At the processor 96.80" in text
    assert "Processor's fees 3.20" in text
    assert "Σ = 0.00 ✓" in text


def test_a_day_that_adds_up_says_so(ann, cashier):
    cashier.topped_up(10_000)

    text = text_of(ann.get(f"{HERE}?day={cashier.now:%Y-%m-%d}"))

    assert "It adds up. 1 balance transaction. Theirs 96.80 USD, ours 96.80 USD." in text


def test_a_difference_is_found_named_and_then_adds_up(ann, cashier):
    cashier.pay(cashier.start())
    day = f"{HERE}?day={cashier.now:%Y-%m-%d}"
    before = ann.get(day)
    link = re.search(r'href="(/admin/money/book/suspense/\?ref=[^"]+)"', before.content.decode())[1]
    form = ann.get(unescape(link)).content.decode()
    asked = {name: re.search(rf'name="{name}" value="([^"]*)"', form)[1] for name in ("ref", "amount")}
    book(ann, "suspense", **asked)

    assert "It does not add up." in text_of(before)
    assert asked["amount"] == "96.80"
    assert "It adds up." in text_of(ann.get(day))
    assert Journal.objects.get(kind="suspense").ref == asked["ref"]


def test_a_processor_that_does_not_answer_is_told(ann, monkeypatch):
    def away(*_):
        raise GatewayUnknown("no answer in 10 s")

    monkeypatch.setattr(SandboxGateway, "balance_transactions", away)

    assert "The processor could not be asked: no answer in 10 s" in text_of(ann.get(f"{HERE}?day=2026-11-24"))


def test_a_day_that_is_none_is_yesterday(ann):
    assert ann.get(f"{HERE}?day=tomorrow").status_code == 200


def test_an_outbox_is_stopped_with_a_reason_and_started_again(ann):
    assert "Say why it is to stand still." in text_of(ann.post(f"{HERE}outbox/", {"do": "stop"}, follow=True))
    assert not GatewayStop.objects.exists()

    stopped = ann.post(f"{HERE}outbox/", {"do": "stop", "reason": "restored from Monday"}, follow=True)
    assert "The outbox of sandbox has stood still since" in text_of(stopped)
    assert "restored from Monday" in text_of(stopped)

    started = ann.post(f"{HERE}outbox/", {"do": "start", "gateway": "sandbox"}, follow=True)
    assert "The outbox of sandbox runs again." in text_of(started)
    assert not GatewayStop.objects.exists()


def test_what_waits_or_failed_is_listed_with_its_reason(ann, cashier, monkeypatch):
    refuse = GatewayDeclined("no", reason="account_closed")
    monkeypatch.setattr(SandboxGateway, "create_topup", lambda *_, **__: (_ for _ in ()).throw(refuse))
    cashier.start()

    text = text_of(ann.get(HERE))

    assert "Calls that failed 1" in text
    assert "account_closed" in text
    assert "None: all that the processor told has been applied." in text


def test_a_small_bank_transfer_is_booked_and_a_large_one_waits_for_another_operator(ann, ben):
    buyer = make_organization("Lab", funds=0)
    small = book(ann, "topup_offline", organization=buyer.public_id, amount="100.00", ref="bank 7")
    book(ann, "topup_offline", "key_b", organization="Lab", amount="1,000.00", ref="bank 8")
    assert (small.status_code, available(buyer)) == (302, 10_000)
    row = JournalRequest.objects.get(state="waiting")
    mine, theirs = (text_of(client.get(HERE)) for client in (ann, ben))

    refused = ann.post(f"{HERE}requests/{row.public_id}/", {"do": "approve"}, follow=True)
    assert "A second person must approve" in text_of(refused)
    assert available(buyer) == 10_000
    ben.post(f"{HERE}requests/{row.public_id}/", {"do": "approve"})

    assert "Withdraw" in mine
    assert "Approve" not in mine
    assert "Approve" in theirs
    assert available(buyer) == 110_000


def test_a_refused_request_books_nothing(ann, ben):
    buyer = make_organization("Lab", funds=0)
    book(ann, "goodwill", organization="Lab", amount="500")
    row = JournalRequest.objects.get()

    ben.post(f"{HERE}requests/{row.public_id}/", {"do": "refuse"})
    again = ben.post(f"{HERE}requests/{row.public_id}/", {"do": "approve"}, follow=True)

    row.refresh_from_db()
    assert row.state == "refused"
    assert "cannot become booked" in text_of(again)
    assert (available(buyer), ServiceCredit.objects.count()) == (0, 0)


@pytest.mark.parametrize(("kind", "fields", "says"), [
    ("goodwill", {"organization": "Nobody", "amount": "5"}, "There is not exactly one organization"),
    ("goodwill", {"organization": "Lab", "amount": "-5"}, "Write an amount such as 25.00."),
    ("goodwill", {"organization": "Lab", "amount": "5", "reason": ""}, "This field is required."),
    ("correction", {"ref": "jrn_1"}, "there is no journal jrn_1"),
    ("write_off", {"amount": "5"}, "holds 0 minor units"),
])  # fmt: skip
def test_what_cannot_be_booked_says_why_at_its_field_and_leaves_nothing(ann, kind, fields, says):
    make_organization("Lab", funds=0)

    answer = book(ann, kind, **fields)

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert not JournalRequest.objects.exists()


def test_a_kind_that_is_not_booked_by_hand_has_no_form(ann):
    assert ann.get(f"{HERE}book/hold/").status_code == 404
    assert ann.post(f"{HERE}requests/jrq_1/", {"do": "approve"}).status_code == 404


def test_the_desk_leads_to_the_page_and_it_speaks_chinese(ann):
    assert 'href="/admin/money/"' in ann.get("/admin/").content.decode()
    ann.cookies["django_language"] = "zh-hans"

    assert "试算表" in text_of(ann.get(HERE))


# ---- payouts


@pytest.fixture
def payout(cashier):
    deal = deal_of()
    cashier.provider = deal.provider
    cashier.onboarded()
    cashier.topped_up(50_000)
    matured(deal)
    return cashier.pay_out()[0]


def send_again(client, payout):
    order = {"action": "send_again", "_selected_action": [payout.pk]}
    return client.post("/admin/ledger/payout/", order, follow=True)


def test_a_refused_payout_is_sent_again_by_an_operator(ann, cashier, monkeypatch):
    deal = deal_of()
    cashier.provider = deal.provider
    cashier.onboarded()
    cashier.topped_up(50_000)
    matured(deal)
    refuse = GatewayDeclined("too low", reason="balance_insufficient")
    monkeypatch.setattr(SandboxGateway, "create_transfer", lambda *_, **__: (_ for _ in ()).throw(refuse))
    [payout] = cashier.pay_out()
    monkeypatch.undo()

    assert "Payouts refused 1" in text_of(ann.get(HERE))
    send_again(browser(Role.AUDITOR, "eve"), payout)
    assert GatewayCall.objects.filter(op="create_transfer").count() == 1
    assert "Payouts that are sent again: 1." in text_of(send_again(ann, payout))
    outbox.send_due(now=timezone.now() + timedelta(minutes=1))

    payout.refresh_from_db()
    assert (payout.state, payout.tries) == ("paid", 2)


def test_a_paid_payout_is_not_sent_again(ann, payout):
    assert f"{payout.public_id} is not refused." in text_of(send_again(ann, payout))
    assert GatewayCall.objects.filter(op="create_transfer").count() == 1


def test_a_part_of_a_paid_transfer_is_taken_back(ann, cashier, payout):
    here = reverse("admin:ledger_payout_take_back", args=[payout.pk])
    assert here in ann.get(f"/admin/ledger/payout/{payout.pk}/change/").content.decode()
    page = ann.get(here)
    too_much, nonsense = ann.post(here, {"amount": "17.61"}), ann.post(here, {"amount": "all"})
    assert not GatewayCall.objects.filter(op="reverse_transfer").exists()
    ann.post(here, {"amount": "5.00"})
    outbox.send_due(now=timezone.now())
    cashier.hear()

    assert 'value="17.60"' in page.content.decode()
    assert (too_much.status_code, nonsense.status_code) == (422, 422)
    assert "Up to 17.60 can be taken back." in text_of(too_much)
    payout.refresh_from_db()
    assert (payout.state, payout.reversed) == ("paid", 500)


def test_an_auditor_takes_nothing_back(payout):
    auditor = browser(Role.AUDITOR, "eve")

    here = reverse("admin:ledger_payout_take_back", args=[payout.pk])

    assert auditor.post(here, {"amount": "5.00"}).status_code == 403
    assert not GatewayCall.objects.filter(op="reverse_transfer").exists()
