"""Holds: what is set aside, captured and released, one after another and at once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError, InternalError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from marketplace.ledger import holds
from marketplace.ledger.errors import HoldClosed, InsufficientFunds
from marketplace.ledger.holds import Split, capture, hold_money, release
from marketplace.ledger.models import Entry, Hold, Journal
from marketplace.ledger.services import post_many
from marketplace.ledger.wallets import wallet_of
from tests.market import NOON, fund, make_organization

pytestmark = pytest.mark.django_db
MONEY = {"asset": "USD", "livemode": False}
TOLD = {"now": NOON, "actor": "test"}


@pytest.fixture
def buyer():
    organization = make_organization(funds=0)
    fund(organization, 10_000)
    return organization


@pytest.fixture
def provider():
    return make_organization(funds=0)


def hold(buyer, amount=2_388, subject="job_1"):
    return hold_money(organization=buyer, amount=amount, subject=subject, **MONEY, **TOLD)


@transaction.atomic
def take(row, provider, whole, ref="ctr_1:unit_second:1"):
    """Capture `whole`, 12 % of it for the market, and post it."""
    fee = whole * 12 // 100
    facts = capture(hold=row, ref=ref, provider=provider, split=Split(whole - fee, fee))
    return post_many(facts=facts, **TOLD) if facts else []


@transaction.atomic
def give_back(row, amount=None):
    facts = release(hold=row, amount=amount)
    return post_many(facts=facts, **TOLD) if facts else []


def wallet(buyer):
    found = wallet_of(organization=buyer, **MONEY)
    return found.available, found.held


def test_held_money_is_captured_for_use_and_the_rest_comes_back(buyer, provider):
    row = hold(buyer)
    assert wallet(buyer) == (7_612, 2_388)

    take(row, provider, 1_827)
    give_back(row)

    row.refresh_from_db()
    assert (row.captured, row.released, row.rest, row.state) == (1_827, 561, 0, "closed")
    assert wallet(buyer) == (8_173, 0)
    assert [each.kind for each in Journal.objects.all()] == ["topup_offline", "hold", "capture", "release"]


def test_a_hold_that_the_wallet_cannot_pay_leaves_nothing_behind(buyer):
    with pytest.raises(InsufficientFunds) as refusal:
        hold(buyer, 10_001)

    assert refusal.value.facts == {"asset": "USD", "available": 10_000, "needed": 10_001}
    assert not Hold.objects.exists()
    assert wallet(buyer) == (10_000, 0)


@pytest.mark.parametrize("step", [lambda row, to: take(row, to, 2_389), lambda row, _: give_back(row, 2_389)])
def test_no_more_leaves_a_hold_than_it_has(buyer, provider, step):
    row = hold(buyer)

    with pytest.raises(HoldClosed) as refusal:
        step(row, provider)

    assert refusal.value.facts == {"id": row.public_id, "left": 2_388, "asked": 2_389}
    row.refresh_from_db()
    assert (row.captured, row.released, row.releases) == (0, 0, 0)
    assert wallet(buyer) == (7_612, 2_388)


def test_the_same_use_is_captured_once(buyer, provider):
    row = hold(buyer)

    first, again = take(row, provider, 1_000), take(row, provider, 1_000)

    row.refresh_from_db()
    assert (len(first), again, row.captured) == (1, [], 1_000)


def test_the_whole_hold_may_be_captured_and_nothing_comes_back(buyer, provider):
    row = hold(buyer)

    take(row, provider, 2_388)

    assert give_back(row) == []
    assert Hold.objects.get().state == "closed"


def test_a_capture_of_nothing_is_no_journal(buyer, provider):
    assert take(hold(buyer), provider, 0) == []


def test_a_subject_has_one_open_hold_and_may_have_another_after_it(buyer):
    row = hold(buyer)

    with pytest.raises(IntegrityError, match="hold_open_once_per_subject"), transaction.atomic():
        hold(buyer)
    give_back(row)

    assert hold(buyer).state == "open"
    assert wallet(buyer) == (7_612, 2_388)


def sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "refused_by"),
    [
        ("UPDATE ledger_hold SET captured = amount + 1", "hold_never_gives_more_than_it_has"),
        ("UPDATE ledger_hold SET captured = 101, released = amount", "hold_never_gives_more_than_it_has"),
        ("UPDATE ledger_hold SET released = -1", "Cannot update"),
        ("UPDATE ledger_hold SET captured = captured - 1", "Cannot update"),
        ("UPDATE ledger_hold SET amount = amount + 1", "Cannot update"),
        ("UPDATE ledger_hold SET subject = 'job_2'", "Cannot update"),
        ("UPDATE ledger_hold SET state = 'closed'", "generated"),
        ("DELETE FROM ledger_hold", "Cannot delete"),
    ],
)
def test_sql_cannot_empty_a_hold_twice_or_make_it_another(buyer, provider, statement, refused_by):
    take(hold(buyer), provider, 100)

    with pytest.raises((IntegrityError, InternalError, DatabaseError), match=refused_by), transaction.atomic():
        sql(statement)

    assert wallet(buyer) == (7_612, 2_288)


def test_what_a_transaction_undoes_was_never_captured(buyer, provider):
    row = hold(buyer)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        take(row, provider, 100)
        raise ZeroDivisionError

    assert Hold.objects.get().captured == 0
    assert wallet(buyer) == (7_612, 2_388)


def race(steps):
    """Run the steps at once, each on a connection of its own; what each raised, or None."""

    def run(step):
        try:
            step()
        except (HoldClosed, InsufficientFunds) as error:
            return type(error)
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


@pytest.mark.django_db(transaction=True)
def test_captures_and_releases_at_once_share_the_hold_and_never_more(buyer, provider):
    row = hold(buyer, 100)
    steps = [partial(take, Hold.objects.get(), provider, 30, f"use {number}") for number in range(4)]
    steps += [partial(give_back, Hold.objects.get(), 30) for _ in range(4)]

    outcomes = race(steps)

    row.refresh_from_db()
    assert outcomes.count(None) == 3
    assert row.captured + row.released == 90
    assert sum(wallet(buyer)) == 10_000 - row.captured


@pytest.mark.django_db(transaction=True)
def test_a_use_that_is_captured_at_once_by_eight_is_captured_once(buyer, provider):
    row = hold(buyer)

    race([partial(take, Hold.objects.get(), provider, 100) for _ in range(8)])

    row.refresh_from_db()
    assert row.captured == 100
    assert wallet(buyer) == (7_612, 2_288)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_same_use_is_taken_out_of_the_hold_more_than_once(buyer, provider, monkeypatch):
    monkeypatch.setattr(holds, "_lock", lambda row: None)
    row = hold(buyer)

    race([partial(take, Hold.objects.get(), provider, 100) for _ in range(8)])

    row.refresh_from_db()
    assert row.captured > 100


@pytest.mark.django_db(transaction=True)
def test_holds_at_once_never_take_more_than_the_wallet_has(buyer):
    outcomes = race([partial(hold, buyer, 3_000, f"job_{number}") for number in range(8)])

    assert outcomes.count(None) == 3
    assert wallet(buyer) == (1_000, 9_000)


class Wallets(RuleBasedStateMachine):
    """Holds, captures and releases of tiny amounts, beside a model that only counts."""

    def __init__(self):
        super().__init__()
        self.before = transaction.savepoint()
        self.buyer, self.provider, self.available, self.captured = (
            make_organization(funds=0),
            make_organization(funds=0),
            0,
            0,
        )
        self.rows, self.uses = {}, 0

    amounts = st.integers(1, 9)

    @rule(amount=amounts)
    def top_up(self, amount):
        fund(self.buyer, amount)
        self.available += amount

    @rule(amount=amounts)
    def set_aside(self, amount):
        subject = f"job_{len(self.rows)}"
        if amount > self.available:
            with pytest.raises(InsufficientFunds):
                hold(self.buyer, amount, subject)
        else:
            self.rows[hold(self.buyer, amount, subject)] = amount
            self.available -= amount

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), amount=st.integers(0, 9))
    def capture_some(self, data, amount):
        row = data.draw(st.sampled_from(list(self.rows)))
        self.uses += 1
        if amount > self.rows[row]:
            with pytest.raises(HoldClosed):
                take(row, self.provider, amount, f"use {self.uses}")
        else:
            take(row, self.provider, amount, f"use {self.uses}")
            self.rows[row] -= amount
            self.captured += amount

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), amount=st.none() | st.integers(1, 9))
    def release_some(self, data, amount):
        row = data.draw(st.sampled_from(list(self.rows)))
        if amount is not None and amount > self.rows[row]:
            with pytest.raises(HoldClosed):
                give_back(row, amount)
        else:
            give_back(row, amount)
            freed = self.rows[row] if amount is None else amount
            self.rows[row] -= freed
            self.available += freed

    def teardown(self):
        stored = {each.pk: each for each in Hold.objects.filter(organization=self.buyer)}
        assert {row.pk: (stored[row.pk].rest, stored[row.pk].state) for row in self.rows} == {
            row.pk: (rest, "open" if rest else "closed") for row, rest in self.rows.items()
        }
        assert wallet(self.buyer) == (self.available, sum(self.rows.values()))
        earned = Entry.objects.filter(account__owner=self.provider).values_list("amount", flat=True)
        fees = Entry.objects.filter(account__kind="platform_fee", journal__ref__startswith="use").values_list(
            "amount", flat=True
        )
        assert -sum(earned) - sum(fees) == self.captured
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        sql("SET CONSTRAINTS ALL DEFERRED")
        transaction.savepoint_rollback(self.before)


class TestWallets(TestCase):
    def test_whatever_is_held_captured_and_released_nothing_is_lost_or_made(self):
        run_state_machine_as_test(Wallets, settings=settings(max_examples=30, stateful_step_count=25, deadline=None))
