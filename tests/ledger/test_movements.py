"""What happened on a wallet: each journal once, on all its parts, with what was available behind it."""

import csv
from datetime import timedelta
from io import StringIO

import pytest

from marketplace.ledger.holds import Split, capture, hold_money, release
from marketplace.ledger.models import Journal
from marketplace.ledger.movements import as_csv, began, movements_of
from marketplace.ledger.services import post_many
from marketplace.ledger.wallets import wallet_of
from tests.market import NOON, fund, key_of, make_organization

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
USD = {"asset": "USD", "livemode": False}


@pytest.fixture
def buyer():
    """100.00 paid in, 23.88 held a day later, 18.27 of it charged and the rest released together."""
    buyer, provider = make_organization(funds=10_000), make_organization(funds=0)
    hold = hold_money(organization=buyer, amount=2_388, subject="job_1", now=NOON, actor="test", **USD)
    facts = capture(hold=hold, ref="ctr_1:unit_second:1", provider=provider, split=Split(1_608, 219))
    post_many(facts=[*facts, *release(hold=hold)], now=NOON + DAY, actor="test")
    return buyer


def told(buyer, rows=None):
    rows = Journal.objects.of_wallet(buyer, **USD) if rows is None else rows
    return movements_of(list(rows), organization=buyer, wallet=wallet_of(organization=buyer, **USD))


def test_each_journal_is_one_movement_with_what_was_available_behind_it(buyer):
    assert [(each.kind, each.available, each.held, each.left) for each in told(buyer)] == [
        ("release", 561, -561, 8_173), ("capture", 0, -1_827, 7_612), ("hold", -2_388, 2_388, 7_612),
        ("topup_offline", 10_000, 0, 10_000),
    ]  # fmt: skip


def test_any_stretch_of_them_has_the_same_balances(buyer):
    whole = told(buyer)

    assert [told(buyer, Journal.objects.of_wallet(buyer, **USD)[first : first + 2]) for first in range(3)] == [
        whole[first : first + 2] for first in range(3)
    ]


def test_a_period_has_only_what_was_posted_in_it(buyer):
    rows = Journal.objects.of_wallet(buyer, **USD).between(NOON, NOON + DAY)

    assert [(each.kind, each.left) for each in told(buyer, rows)] == [("hold", 7_612)]


def test_a_wallet_knows_only_its_owner_its_currency_and_its_kind_of_money(buyer):
    other = make_organization(funds=77)
    fund(buyer, 5, livemode=True)
    fund(buyer, 6, asset="EUR")

    assert [each.available for each in told(other)] == [77]
    assert sum(each.available for each in told(buyer)) == 8_173
    assert told(make_organization(funds=0)) == []


def test_a_wallet_began_with_its_first_movement(buyer):
    wallet = wallet_of(organization=buyer, **USD)

    assert began(organization=buyer, wallet=wallet) == Journal.objects.order_by("pk").first().posted_at
    assert began(organization=make_organization(funds=0), wallet=wallet) is None


def test_a_longer_list_costs_no_more_queries(buyer, django_assert_num_queries):
    wallet = wallet_of(organization=buyer, **USD)
    with django_assert_num_queries(2):
        movements_of(list(Journal.objects.of_wallet(buyer, **USD)), organization=buyer, wallet=wallet)


def test_the_table_is_exact_and_no_cell_of_it_begins_a_formula(buyer):
    fund_with_a_formula(buyer)
    wallet = wallet_of(organization=buyer, **USD)

    rows = list(csv.DictReader(StringIO(as_csv(told(buyer), wallet))))

    assert rows[0]["reference"] == "'=1+1"
    assert (rows[1]["available"], rows[1]["held"], rows[1]["available_after"]) == ("5.61", "-5.61", "81.73")
    assert {row["test_money"] for row in rows} == {"yes"}


def fund_with_a_formula(buyer):
    from marketplace.ledger.wallets import top_up_offline

    top_up_offline(organization=buyer, amount=1, ref="=1+1", now=NOON + 2 * DAY, actor="test", **USD)


def test_the_api_lists_what_moved_to_who_may_read_the_wallet(buyer, client):
    _, reader = key_of(buyer, "wallet:read")
    _, stranger = key_of(buyer, "jobs:read")

    answer = client.get("/api/v1/wallet/movements?limit=2", HTTP_AUTHORIZATION=f"Bearer {reader}").json()

    assert [(each["kind"], each["available_minor"], each["held_minor"]) for each in answer["data"]] == [
        ("release", 561, -561), ("capture", 0, -1_827),
    ]  # fmt: skip
    assert (answer["has_more"], answer["meta"]["count"]) == (True, 4)
    following = f"/api/v1/wallet/movements?starting_after={answer['next_cursor']}"
    rest = client.get(following, HTTP_AUTHORIZATION=f"Bearer {reader}").json()
    assert [each["kind"] for each in rest["data"]] == ["hold", "topup_offline"]
    refused = client.get("/api/v1/wallet/movements", HTTP_AUTHORIZATION=f"Bearer {stranger}")
    assert refused.json()["code"] == "scope_missing"
