"""What operators book by hand: with a reason, each reference once, and above a limit by two of them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from marketplace.booking.goodwill import BOOKS
from marketplace.booking.models import ServiceCredit
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.events.models import Event
from marketplace.ledger import manual
from marketplace.ledger.errors import InsufficientFunds, SecondApproverNeeded
from marketplace.ledger.holds import hold_money
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.manual import Wanted
from marketplace.ledger.models import Account, Journal, JournalRequest
from marketplace.ledger.services import account_of, post
from marketplace.ledger.wallets import wallet_of
from tests.market import NOON, fund, make_organization

pytestmark = pytest.mark.django_db
LIMIT = 10_000
USD = {"asset": "USD", "livemode": False}


@pytest.fixture(autouse=True)
def _limit(settings):
    settings.TWO_PERSON_LIMIT_MINOR = LIMIT


@pytest.fixture
def ann():
    return User.objects.create_user("ann@example.test", "a long password")


@pytest.fixture
def ben():
    return User.objects.create_user("ben@example.test", "a long password")


@pytest.fixture
def buyer():
    return make_organization(funds=0)


def ask(by, kind, amount=0, *, key="", **fields):
    wanted = Wanted(kind=kind, amount=amount, reason=fields.pop("reason", "because"), **USD, **fields)
    return manual.ask(wanted=wanted, by=by, request_key=key or f"key {kind} {amount}", now=NOON, books=BOOKS)


def approve(request, by):
    return manual.approve(request=request, by=by, now=NOON + timedelta(hours=1), books=BOOKS)


def available(buyer):
    return wallet_of(organization=buyer, **USD).available


def books(*kinds):
    sums = {}
    for each in Account.objects.with_sum():
        sums[each.kind] = sums.get(each.kind, 0) + each.summed
    return [sums.get(kind, 0) for kind in kinds]


def test_a_bank_transfer_is_credited_at_once_up_to_the_limit(ann, buyer):
    row = ask(ann, "topup_offline", LIMIT, organization=buyer, ref="bank 7")

    assert (row.state, row.journal.kind, row.journal.ref, available(buyer)) == (
        "booked", "topup_offline", "bank 7", LIMIT,
    )  # fmt: skip
    assert books("operator_bank") == [LIMIT]
    assert Event.objects.get(object_id=row.public_id).type == "journal_request.booked"


def test_more_than_the_limit_waits_and_moves_nothing_until_another_operator_agrees(ann, ben, buyer):
    row = ask(ann, "topup_offline", LIMIT + 1, organization=buyer, ref="bank 7")
    assert (row.state, row.journal, available(buyer)) == ("waiting", None, 0)

    approve(row, ben)

    row.refresh_from_db()
    assert (row.state, row.decided_by, available(buyer)) == ("booked", ben, LIMIT + 1)


def test_who_asked_does_not_agree_and_nothing_is_booked(ann, buyer):
    row = ask(ann, "topup_offline", LIMIT + 1, organization=buyer, ref="bank 7")

    with pytest.raises(SecondApproverNeeded):
        approve(row, ann)

    assert JournalRequest.objects.get().state == "waiting"
    assert not Journal.objects.exists()


def test_the_database_itself_refuses_one_operator_in_both_parts(ann, ben, buyer):
    row = ask(ann, "topup_offline", LIMIT + 1, organization=buyer, ref="bank 7")
    approve(row, ben)
    for who in (ann, None):
        with pytest.raises(IntegrityError, match="journal_request_seen_by_two"), transaction.atomic():
            JournalRequest.objects.filter(pk=row.pk).update(decided_by=who)


def test_without_a_limit_one_operator_is_enough(ann, buyer, settings):
    settings.TWO_PERSON_LIMIT_MINOR = 0

    assert ask(ann, "topup_offline", 10**9, organization=buyer, ref="bank 7").state == "booked"


def test_a_request_is_decided_once(ann, ben, buyer):
    booked = ask(ann, "topup_offline", LIMIT + 1, organization=buyer, ref="bank 7")
    refused = ask(ann, "topup_offline", LIMIT + 2, organization=buyer, ref="bank 8")
    approve(booked, ben)
    manual.refuse(request=refused, by=ann, now=NOON)

    for row in (booked, refused):
        with pytest.raises(IllegalState):
            approve(row, ben)
        with pytest.raises(IllegalState):
            manual.refuse(request=row, by=ben, now=NOON)
    assert available(buyer) == LIMIT + 1


def test_a_form_sent_twice_asks_once(ann, buyer):
    first, second = (ask(ann, "topup_offline", 5, key="same", organization=buyer, ref="bank 7") for _ in range(2))

    assert first == second
    assert available(buyer) == 5


@pytest.mark.parametrize("amount", [5, LIMIT + 1])
def test_a_reference_counts_once_however_it_comes(ann, ben, buyer, amount):
    ask(ann, "topup_offline", amount, organization=buyer, ref="bank 7")

    with pytest.raises(ValidationFailed, match="bank 7"):
        ask(ben, "topup_offline", amount, key="another", organization=buyer, ref="bank 7")

    assert JournalRequest.objects.count() == 1


def test_a_reference_that_was_booked_meanwhile_is_not_booked_again(ann, ben, buyer):
    row = ask(ann, "topup_offline", LIMIT + 1, organization=buyer, ref="bank 7")
    bank = account_of(kind="operator_bank", owner=None, **USD)
    wallet = account_of(kind="buyer_available", owner=buyer, **USD)
    post(kind="topup_offline", ref="bank 7", lines=[debit(bank, 1), credit(wallet, 1)], now=NOON, actor="test")

    with pytest.raises(ValidationFailed, match="in the books already"):
        approve(row, ben)

    assert (JournalRequest.objects.get().state, available(buyer)) == ("waiting", 1)


@pytest.mark.parametrize(("kind", "fields", "field"), [
    ("hold", {"amount": 1}, "/kind"), ("topup_offline", {"amount": 1, "ref": "b"}, "/organization"),
    ("goodwill", {"amount": 1}, "/organization"), ("suspense", {"amount": 1}, "/ref"),
    ("suspense", {"amount": 0, "ref": "txn_1"}, "/amount"), ("write_off", {"amount": -1}, "/amount"),
    ("suspense", {"amount": 1, "ref": "txn_1", "reason": " "}, "/reason"), ("correction", {"ref": "jrn_1"}, "/ref"),
    ("suspense", {"amount": 1, "ref": "t" * 121}, "/ref"),
])  # fmt: skip
def test_what_cannot_be_booked_names_the_field_and_leaves_nothing(ann, kind, fields, field):
    with pytest.raises(ValidationFailed) as refusal:
        ask(ann, kind, **fields)

    assert [each.pointer for each in refusal.value.problems] == [field]
    assert not JournalRequest.objects.exists()
    assert not Journal.objects.exists()


def test_goodwill_is_the_operators_expense_and_a_credit_of_the_buyer(ann, buyer):
    row = ask(ann, "goodwill", 500, organization=buyer, reason="the outage of Monday")

    credit_ = ServiceCredit.objects.get()
    assert (credit_.public_id, credit_.kind, credit_.amount_minor, credit_.subject) == (
        row.journal.ref, "goodwill", 500, row.public_id,
    )  # fmt: skip
    assert (books("sla_expense"), available(buyer)) == ([500], 500)
    assert Event.objects.filter(type="credit.issued", buyer=buyer).count() == 1


def test_goodwill_that_waits_is_no_credit_yet(ann, ben, buyer):
    row = ask(ann, "goodwill", LIMIT + 1, organization=buyer)
    assert not ServiceCredit.objects.exists()

    approve(row, ben)

    assert ServiceCredit.objects.get().amount_minor == available(buyer) == LIMIT + 1


def test_a_difference_is_named_in_either_direction(ann):
    ask(ann, "suspense", 17, ref="txn_1")
    ask(ann, "suspense", -5, ref="txn_2")

    assert books("stripe_clearing", "suspense") == [12, -12]


def test_what_is_written_off_was_there_and_becomes_a_loss(ann):
    ask(ann, "suspense", -300, ref="txn_1")

    with pytest.raises(ValidationFailed) as refusal:
        ask(ann, "write_off", 301)
    assert [each.hint for each in refusal.value.problems] == ["300"]
    ask(ann, "write_off", 300)

    assert books("suspense", "dispute_loss") == [0, 300]


def test_what_a_provider_will_never_pay_is_written_off(ann):
    provider = make_organization(funds=0)
    owed, fee = (
        account_of(kind="provider_receivable", owner=provider, **USD),
        account_of(kind="platform_fee", owner=None, **USD),
    )
    post(kind="sla_credit", ref="crd_1", lines=[debit(owed, 40), credit(fee, 40)], now=NOON, actor="test")

    ask(ann, "write_off", 40, organization=provider)

    assert books("provider_receivable", "dispute_loss") == [0, 40]


def test_a_mistake_is_undone_once_by_a_journal_that_moves_all_of_it_back(ann, buyer):
    wrong = ask(ann, "topup_offline", 400, organization=buyer, ref="bank 7").journal

    row = ask(ann, "correction", ref=wrong.public_id)

    assert (row.amount, row.journal.reverses, available(buyer)) == (400, wrong, 0)
    with pytest.raises(ValidationFailed, match="undone before"):
        ask(ann, "correction", key="again", ref=wrong.public_id)


def test_what_has_been_spent_cannot_be_taken_back(ann, buyer):
    wrong = ask(ann, "topup_offline", 400, organization=buyer, ref="bank 7").journal
    hold_money(organization=buyer, amount=1, subject="job_1", now=NOON, actor="test", **USD)

    with pytest.raises(InsufficientFunds):
        ask(ann, "correction", ref=wrong.public_id)

    assert JournalRequest.objects.count() == 1
    assert available(buyer) == 399


def test_what_the_program_booked_is_not_undone_by_hand(ann, buyer):
    fund(buyer, 100)
    hold = hold_money(organization=buyer, amount=1, subject="job_1", now=NOON, actor="test", **USD)
    journal = Journal.objects.get(kind="hold", ref=hold.public_id)

    with pytest.raises(ValidationFailed, match="kind hold is undone by what made it"):
        ask(ann, "correction", ref=journal.public_id)


def test_a_request_keeps_what_it_asks(ann, ben, buyer):
    row = ask(ann, "topup_offline", LIMIT + 1, organization=buyer, ref="bank 7")
    for changed in ({"amount": 1}, {"asked_by": ben}, {"needs_second": False}, {"ref": "bank 8"}):
        with pytest.raises(Exception, match="journal_request_keeps_what_it_asks"), transaction.atomic():
            JournalRequest.objects.filter(pk=row.pk).update(**changed)
    with pytest.raises(Exception, match="journal_request_stays"), transaction.atomic():
        row.delete()
