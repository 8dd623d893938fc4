"""The wallet over HTTP: what is there, top-ups, refunds, caps, and messages that nobody trusted signed."""

import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from marketplace.ledger.gateways.sandbox_engine.deliveries import body_of
from marketplace.ledger.gateways.sandbox_models import SandboxDelivery
from marketplace.ledger.gateways.signatures import sign
from marketplace.ledger.models import Budget, GatewayCall, Payment, WebhookReceipt
from tests.ledger.cashier import Cashier
from tests.market import fund, key_of, make_organization

pytestmark = pytest.mark.django_db
URL = "/api/v1/payments/webhooks/sandbox"


def client_of(organization, *scopes):
    _, secret = key_of(organization, *(scopes or ("wallet:write",)), now=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def buyer():
    return make_organization(funds=2_000)


@pytest.fixture
def client(buyer):
    return client_of(buyer)


def send(client, path, body, *, key="k1", method="post", **headers):
    call = getattr(client, method)
    return call(f"/api/v1/{path}", body, format="json", headers={"Idempotency-Key": key, **headers})


def test_a_wallet_tells_what_is_available_held_and_frozen(client):
    [wallet] = client.get("/api/v1/wallet").json()["data"]

    assert wallet == {
        "object": "wallet", "currency": "USD", "livemode": False, "available_minor": 2_000, "held_minor": 0,
        "frozen_minor": 0,
    }  # fmt: skip


def test_an_organization_without_money_has_an_empty_wallet():
    [wallet] = client_of(make_organization(funds=0)).get("/api/v1/wallet").json()["data"]

    assert wallet["available_minor"] == 0


def test_a_topup_answers_with_the_page_where_it_is_paid(client):
    answer = send(client, "wallet/topups", {"amount_minor": 5_000})

    assert answer.status_code == 201
    assert "/sandbox/checkout/" in answer.json()["url"]
    assert (answer.json()["state"], GatewayCall.objects.get().state) == ("open", "done")
    assert client.get(f"/api/v1/wallet/topups/{answer.json()['id']}").json()["amount_minor"] == 5_000


def test_a_repeated_topup_is_one(client):
    for _ in range(2):
        send(client, "wallet/topups", {"amount_minor": 5_000})

    assert Payment.objects.count() == GatewayCall.objects.count() == 1


def test_a_rehearsed_topup_asks_nobody_and_keeps_nothing(client):
    answer = send(client, "wallet/topups?dry_run=true", {"amount_minor": 5_000})

    assert (answer.status_code, answer.json()["state"]) == (200, "new")
    assert not Payment.objects.exists()


@pytest.mark.parametrize(("amount", "code"), [(499, "amount_out_of_range"), ("many", "validation_failed")])
def test_a_wrong_amount_is_refused_with_the_field_or_the_range(client, amount, code):
    answer = send(client, "wallet/topups", {"amount_minor": amount})

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not Payment.objects.exists()


def test_a_refund_beyond_what_cards_paid_is_refused(client):
    answer = send(client, "wallet/refunds", {"amount_minor": 1})

    assert (answer.status_code, answer.json()["code"], answer.json()["hint"]) == (422, "refund_exceeds_payment", "0")


def test_a_key_without_the_scope_sees_no_wallet(buyer):
    assert client_of(buyer, "jobs:read").get("/api/v1/wallet").status_code == 403


def test_another_organizations_topup_is_not_there(client):
    topup = send(client, "wallet/topups", {"amount_minor": 5_000}).json()["id"]

    assert client_of(make_organization()).get(f"/api/v1/wallet/topups/{topup}").status_code == 404


def test_a_budget_is_set_read_changed_and_ended(client):
    made = send(client, "budgets", {"limit_minor": 1_000})
    path = f"budgets/{made.json()['id']}"
    assert (made.status_code, made.json()["left_minor"], made["ETag"]) == (201, 1_000, '"1"')

    assert send(client, path, {"limit_minor": 500}, method="patch").status_code == 428
    changed = send(client, path, {"limit_minor": 500}, method="patch", **{"If-Match": '"1"'})
    assert (changed.json()["limit_minor"], changed["ETag"]) == (500, '"2"')
    assert [each["id"] for each in client.get("/api/v1/budgets").json()["data"]] == [made.json()["id"]]

    assert send(client, path, None, method="delete", **{"If-Match": '"2"'}).status_code == 204
    assert Budget.objects.get().ended_at is not None
    assert client.get(f"/api/v1/{path}").status_code == 404


def message(cashier):
    """The raw body of a true message that has not been delivered."""
    cashier.pay(cashier.start())
    return json.dumps(body_of(SandboxDelivery.objects.select_related("event").order_by("pk")[0])).encode()


def post(raw, signature):
    return APIClient().post(URL, data=raw, content_type="application/json", headers={"Stripe-Signature": signature})


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


def test_a_signed_message_is_kept_once(cashier, settings):
    raw = message(cashier)
    signature = sign(raw=raw, secret=settings.SANDBOX_WEBHOOK_SECRET, at=timezone.now())

    assert [post(raw, signature).status_code for _ in range(3)] == [200, 200, 200]
    assert WebhookReceipt.objects.count() == 1


def forgeries(raw, secret):
    now = timezone.now()
    good = sign(raw=raw, secret=secret, at=now)
    flipped = raw.replace(b"evt_", b"evt-", 1)
    live = json.dumps(json.loads(raw) | {"livemode": True}).encode()
    other = json.dumps(json.loads(raw) | {"account": "acct_other"}).encode()
    return {
        "unsigned": (raw, ""),
        "another secret": (raw, sign(raw=raw, secret="whsec_other", at=now)),
        "a changed byte": (flipped, good),
        "an old scheme": (raw, good.replace("v1=", "v0=")),
        "an hour old": (raw, sign(raw=raw, secret=secret, at=now - timedelta(hours=1))),
        "from tomorrow": (raw, sign(raw=raw, secret=secret, at=now + timedelta(days=1))),
        "a moment too old": (raw, sign(raw=raw, secret=secret, at=now - timedelta(seconds=302))),
        "a moment too new": (raw, sign(raw=raw, secret=secret, at=now + timedelta(seconds=305))),
        "live money": (live, sign(raw=live, secret=secret, at=now)),
        "another account": (other, sign(raw=other, secret=secret, at=now)),
        "no JSON": (b"{", sign(raw=b"{", secret=secret, at=now)),
        "no time": (raw, f"v1={good.partition('v1=')[2]}"),
        "another time": (raw, good.replace(f"t={int(now.timestamp())}", f"t={int(time.time()) - 5}")),
    }


def test_a_forged_message_is_refused_and_nothing_is_kept(cashier, settings):
    raw = message(cashier)

    for name, (body, signature) in forgeries(raw, settings.SANDBOX_WEBHOOK_SECRET).items():
        answer = post(body, signature)
        assert (answer.status_code, answer.json()["code"]) == (400, "webhook_signature_invalid"), name

    assert not WebhookReceipt.objects.exists()
    assert cashier.wallet() == (0, 0, 0)


def test_a_message_that_is_too_large_is_not_read(cashier):
    answer = post(b"x" * (256 * 1024 + 1), "t=1,v1=0")

    assert answer.status_code == 413
    assert not WebhookReceipt.objects.exists()


def test_funds_of_tests_do_not_count_as_card_payments(buyer, client):
    fund(buyer, 100)

    assert client.get("/api/v1/wallet/topups").json()["data"] == []
