"""The worked example of the specification, journal by journal: a top-up, a run, a payout, a refund, a dispute."""

import pytest

from marketplace.common.units import largest_remainder
from marketplace.ledger.kinds import ACCOUNTS
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.models import Account, Entry
from marketplace.ledger.services import account_of, balance_of, post
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db


class Books:
    """The accounts of one buyer, one provider and the operator, named as in the specification."""

    def __init__(self):
        buyer, provider = make_organization(funds=0), make_organization(funds=0)
        owners = {"buyer": buyer, "provider": provider}
        self.accounts = {
            kind: account_of(
                kind=kind, owner=owners[kind.partition("_")[0]] if how.owned else None, asset="USD", livemode=False
            )
            for kind, how in ACCOUNTS.items()
        }
        self.number = 0

    def write(self, kind, debits, credits):
        """A journal of {account: amount} on each side."""
        self.number += 1
        lines = [debit(self.accounts[name], amount) for name, amount in debits.items()]
        lines += [credit(self.accounts[name], amount) for name, amount in credits.items()]
        post(kind=kind, ref=str(self.number), lines=lines, now=NOON, actor="test")

    def of(self, *names):
        return [balance_of(self.accounts[name]) for name in names]


@pytest.fixture
def books():
    return Books()


@pytest.fixture
def paid(books):
    """Steps 1 to 7: topped up, held, captured, released, matured, paid out."""
    books.write("topup", {"stripe_clearing": 10_000}, {"buyer_available": 10_000})
    books.write("stripe_fee", {"stripe_fees": 320}, {"stripe_clearing": 320})
    books.write("hold", {"buyer_available": 2_388}, {"buyer_held": 2_388})
    fee, earned = largest_remainder(1_827, [1_200, 8_800])
    books.write("capture", {"buyer_held": 1_827}, {"provider_pending": earned, "platform_fee": fee})
    books.write("release", {"buyer_held": 561}, {"buyer_available": 561})
    assert books.of("buyer_available", "buyer_held", "stripe_clearing") == [8_173, 0, 9_680]
    assert 9_680 == 8_173 + 1_608 + 219 - 320
    books.write("mature", {"provider_pending": 1_608}, {"provider_payable": 1_608})
    books.write("payout", {"provider_payable": 1_608}, {"provider_in_transit": 1_608})
    books.write("transfer", {"provider_in_transit": 1_608}, {"stripe_clearing": 1_608})
    return books


def result(books):
    """What the operator has earned: income less expenses."""
    return books.of("platform_fee")[0] - sum(books.of("stripe_fees", "dispute_fees", "dispute_loss", "sla_expense"))


def test_a_run_is_paid_for_and_paid_out_to_the_cent(paid):
    assert paid.of("buyer_available", "provider_payable", "provider_in_transit", "platform_fee") == [8_173, 0, 0, 219]
    assert paid.of("stripe_clearing") == [8_072] == [8_173 + 219 - 320]


def test_a_refund_leaves_the_wallet_and_the_clearing_account_alike(paid):
    paid.write("hold", {"buyer_available": 5_000}, {"buyer_held": 5_000})
    paid.write("refund", {"buyer_held": 5_000}, {"stripe_clearing": 5_000})

    assert paid.of("buyer_available", "buyer_held", "stripe_clearing") == [3_173, 0, 3_072]


@pytest.fixture
def disputed(paid):
    """The card's holder disputes the whole top-up after the payout."""
    paid.write("dispute_opened", {"disputed_funds": 10_000}, {"stripe_clearing": 10_000})
    paid.write("dispute_fee", {"dispute_fees": 1_500}, {"stripe_clearing": 1_500})
    paid.write("freeze", {"buyer_available": 8_173}, {"buyer_frozen": 8_173})
    assert paid.of("stripe_clearing", "buyer_available", "buyer_frozen") == [-3_428, 0, 8_173]
    return paid


def test_a_dispute_that_is_lost_costs_the_operator_what_was_spent(disputed):
    disputed.write("dispute_lost", {"buyer_frozen": 8_173, "dispute_loss": 1_827}, {"disputed_funds": 10_000})

    assert (result(disputed), disputed.of("stripe_clearing", "disputed_funds")) == (-3_428, [-3_428, 0])


def test_a_provider_at_fault_gives_its_transfer_back(disputed):
    disputed.write("dispute_lost", {"buyer_frozen": 8_173, "dispute_loss": 1_827}, {"disputed_funds": 10_000})
    disputed.write("transfer_reversal", {"stripe_clearing": 1_608}, {"dispute_loss": 1_608})

    assert (result(disputed), disputed.of("stripe_clearing")) == (-1_820, [-1_820])


def test_a_dispute_that_is_won_gives_the_wallet_back_and_keeps_the_fee_of_it(disputed):
    disputed.write("dispute_won", {"stripe_clearing": 10_000}, {"disputed_funds": 10_000})
    disputed.write("unfreeze", {"buyer_frozen": 8_173}, {"buyer_available": 8_173})

    assert disputed.of("buyer_available", "buyer_frozen", "stripe_clearing") == [8_173, 0, 6_572]
    assert result(disputed) == 219 - 320 - 1_500


def test_whatever_happened_all_accounts_together_are_worth_nothing(disputed):
    assert sum(Entry.objects.values_list("amount", flat=True)) == 0
    assert sum(each.normal * each.summed for each in Account.objects.with_sum()) == 0


def test_shares_go_to_the_largest_remainder_and_ties_to_the_fee_first():
    assert largest_remainder(1_001, [100, 300, 300, 300]) == [100, 301, 300, 300]
    assert largest_remainder(1_827, [1_200, 8_800]) == [219, 1_608]
