"""Spending caps: what is promised counts at once, what comes back counts no more, and nobody gets past them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from marketplace.common.errors import IllegalState, StaleVersion, ValidationFailed
from marketplace.events.models import Event
from marketplace.ledger import budgets
from marketplace.ledger.budgets import Through, change_limit, end_budget, set_budget
from marketplace.ledger.errors import BudgetExceeded, InsufficientFunds
from marketplace.ledger.holds import Split, capture, hold_money, release
from marketplace.ledger.models import BudgetPeriod, Hold
from marketplace.ledger.services import post_many
from marketplace.ledger.wallets import wallet_of
from tests.market import NOON, key_of, make_organization

pytestmark = pytest.mark.django_db
MONEY = {"asset": "USD", "livemode": False}


@pytest.fixture
def buyer():
    return make_organization(funds=100_000)


def cap(buyer, limit, **fields):
    return set_budget(
        organization=buyer, limit_minor=limit, now=NOON, **({"api_key": None, "period": "month"} | MONEY | fields)
    )


def hold(buyer, amount, *, subject="job_1", now=NOON, **fields):
    return hold_money(organization=buyer, amount=amount, subject=subject, now=now, actor="test", **MONEY, **fields)


@transaction.atomic
def post(facts):
    post_many(facts=facts, now=NOON, actor="test")


def use(budget):
    period = BudgetPeriod.objects.get(budget=budget)
    return period.held, period.spent


def test_what_is_held_counts_at_once_and_what_is_charged_stays(buyer):
    budget = cap(buyer, 1_000)
    row = hold(buyer, 800)
    assert use(budget) == (800, 0)

    post(capture(hold=row, ref="1", provider=make_organization(), split=Split(300)))
    post(release(hold=row))

    assert use(budget) == (0, 300)


def test_a_promise_beyond_the_cap_is_refused_and_nothing_is_written(buyer):
    budget = cap(buyer, 1_000)
    hold(buyer, 800)

    with pytest.raises(BudgetExceeded) as refusal, transaction.atomic():
        hold(buyer, 201, subject="job_2")

    assert refusal.value.facts == {
        "budget": budget.public_id,
        "asset": "USD",
        "limit": 1_000,
        "left": 200,
        "needed": 201,
    }
    assert use(budget) == (800, 0)
    assert Hold.objects.count() == 1
    assert wallet_of(organization=buyer, **MONEY).held == 800


def test_the_whole_cap_may_be_promised(buyer):
    budget = cap(buyer, 1_000)

    hold(buyer, 1_000)

    assert use(budget) == (1_000, 0)


def test_a_key_has_a_cap_of_its_own_beside_that_of_the_organization(buyer):
    key, _ = key_of(buyer, "jobs:write")
    other, _ = key_of(buyer, "jobs:write")
    whole, own = cap(buyer, 1_000), cap(buyer, 300, api_key=key, period="ever")

    hold(buyer, 300, through=Through(key))
    with pytest.raises(BudgetExceeded) as refusal, transaction.atomic():
        hold(buyer, 1, subject="job_2", through=Through(key))
    hold(buyer, 700, subject="job_3", through=Through(other))

    assert refusal.value.facts["budget"] == own.public_id
    assert (use(own), use(whole)) == ((300, 0), (1_000, 0))


def test_a_new_month_begins_with_nothing_and_the_old_one_keeps_its_holds(buyer):
    budget = cap(buyer, 1_000)
    old = hold(buyer, 1_000)

    hold(buyer, 1_000, subject="job_2", now=NOON + timedelta(days=10))
    post(release(hold=old))

    assert [(each.held, each.spent) for each in BudgetPeriod.objects.filter(budget=budget)] == [(0, 0), (1_000, 0)]


def test_a_cap_without_end_never_begins_anew(buyer):
    cap(buyer, 1_000, period="ever")
    hold(buyer, 1_000)

    with pytest.raises(BudgetExceeded), transaction.atomic():
        hold(buyer, 1, subject="job_2", now=NOON + timedelta(days=400))


def test_a_limit_may_not_fall_below_what_is_promised(buyer):
    budget = cap(buyer, 1_000)
    hold(buyer, 800)

    with pytest.raises(BudgetExceeded), transaction.atomic():
        change_limit(budget=budget, limit_minor=799, version=1, now=NOON)
    change_limit(budget=budget, limit_minor=800, version=1, now=NOON)

    with pytest.raises(BudgetExceeded), transaction.atomic():
        hold(buyer, 1, subject="job_2")
    with pytest.raises(StaleVersion):
        change_limit(budget=budget, limit_minor=900, version=1, now=NOON)


def test_an_ended_budget_caps_nothing(buyer):
    end_budget(budget=cap(buyer, 0), now=NOON)

    assert hold(buyer, 1).state == "open"
    assert cap(buyer, 5).limit_minor == 5


@pytest.mark.parametrize(
    ("fields", "error"), [({"limit": -1}, ValidationFailed), ({"period": "day"}, ValidationFailed)]
)
def test_a_budget_that_makes_no_sense_names_the_field(buyer, fields, error):
    with pytest.raises(error) as refusal:
        cap(buyer, fields.pop("limit", 1), **fields)

    assert refusal.value.problems[0].pointer in {"/limit_minor", "/period"}


def test_there_is_one_budget_of_a_kind(buyer):
    cap(buyer, 1)

    with pytest.raises(IllegalState):
        cap(buyer, 2)


def test_it_is_told_once_when_a_budget_is_nearly_and_wholly_promised(buyer):
    cap(buyer, 1_000)
    for number, amount in enumerate((799, 1, 200)):
        hold(buyer, amount, subject=f"job_{number}")

    assert list(Event.objects.order_by("pk").values_list("type", flat=True)) == ["budget.near", "budget.reached"]


def test_a_budget_that_is_nearly_promised_again_is_told_again_only_after_another_limit(buyer):
    budget = cap(buyer, 1_000)
    post(release(hold=hold(buyer, 900)))

    hold(buyer, 900, subject="job_2")
    assert Event.objects.count() == 1

    change_limit(budget=budget, limit_minor=2_000, version=1, now=NOON)
    hold(buyer, 800, subject="job_3")
    assert list(Event.objects.values_list("type", flat=True)) == ["budget.near"] * 2


def test_the_budget_of_a_standing_order_caps_that_order_alone(buyer):
    cap(buyer, 100, order="sto_1")

    hold(buyer, 500, through=Through(order="sto_2"))
    hold(buyer, 100, subject="job_2", through=Through(order="sto_1"))
    with pytest.raises(BudgetExceeded, match="of the standing order"), transaction.atomic():
        hold(buyer, 1, subject="job_3", through=Through(order="sto_1"))


def test_money_that_is_not_there_takes_nothing_from_the_budget(buyer):
    budget = cap(buyer, 10**9)

    with pytest.raises(InsufficientFunds):
        hold(buyer, 100_001)

    assert not BudgetPeriod.objects.filter(budget=budget, held__gt=0).exists()


@pytest.mark.parametrize("statement", ["UPDATE ledger_budgetperiod SET held = 1001", "DELETE FROM ledger_budgetperiod"])
def test_sql_cannot_exceed_or_forget_a_budget(buyer, statement):
    budget = cap(buyer, 1_000)
    hold(buyer, 1)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert use(budget) == (1, 0)


def race(buyer):
    def one(number):
        try:
            hold(buyer, 300, subject=f"job_{number}")
        except (BudgetExceeded, IntegrityError) as error:
            return type(error)
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_never_get_past_a_budget(buyer):
    budget = cap(buyer, 1_000)

    outcomes = race(buyer)

    assert outcomes.count(None) == 3
    assert set(outcomes) == {None, BudgetExceeded}
    assert use(budget) == (900, 0)


@pytest.mark.django_db(transaction=True)
def test_without_the_guard_the_database_still_refuses(buyer, monkeypatch):
    budget = cap(buyer, 1_000)
    everything = BudgetPeriod.objects.filter
    monkeypatch.setattr(
        budgets.BudgetPeriod.objects,
        "filter",
        lambda **asked: everything(**{k: v for k, v in asked.items() if "limit" not in k}),
    )

    outcomes = race(buyer)

    monkeypatch.undo()
    assert IntegrityError in outcomes
    assert use(budget)[0] <= 1_000
