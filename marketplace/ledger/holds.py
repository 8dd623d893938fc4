"""Money of a wallet is held for a subject, captured for use, and released, here and nowhere else.

Each step moves the hold's own row and gives the fact for the books; who takes steps posts their facts together, once,
at the end of the transaction. Locks: holds first, then accounts in the order of their keys (`post_many`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from accounts.models import Organization
from marketplace.common.ids import new_id
from marketplace.ledger import budgets
from marketplace.ledger.budgets import DIRECTLY, Through
from marketplace.ledger.errors import HoldClosed
from marketplace.ledger.freezing import freeze_freed, refuse_while_frozen
from marketplace.ledger.kinds import MONEY
from marketplace.ledger.lines import Fact, credit, debit
from marketplace.ledger.models import Account, Hold, Journal
from marketplace.ledger.services import account_of, post_many

BOOKING = "booking"


@dataclass(frozen=True, slots=True)
class Split:
    """Where a captured amount goes, in minor units, none negative."""

    provider: int
    fee: int = 0
    tax: int = 0

    @property
    def whole(self) -> int:
        """What the buyer pays."""
        return self.provider + self.fee + self.tax


@transaction.atomic
def hold_money(
    *,
    organization: Organization,
    asset: str,
    livemode: bool,
    amount: int,
    subject: str,
    now: datetime,
    actor: str,
    purpose: str = BOOKING,
    through: Through = DIRECTLY,
) -> Hold:
    """Keep `amount` > 0 minor units of the wallet for `subject`; what it is asked `through` may have a budget too.

    Raises InsufficientFunds, BudgetExceeded, WalletFrozen; then nothing is written.
    """
    hold, fact = open_hold(
        organization=organization, asset=asset, livemode=livemode, amount=amount, subject=subject, now=now,
        purpose=purpose, through=through,
    )  # fmt: skip
    post_many(facts=[fact], now=now, actor=actor)
    return hold


def open_hold(
    *,
    organization: Organization,
    asset: str,
    livemode: bool,
    amount: int,
    subject: str,
    now: datetime,
    purpose: str = BOOKING,
    through: Through = DIRECTLY,
) -> tuple[Hold, Fact]:
    """A new hold, and the fact to post with it. Raises BudgetExceeded, WalletFrozen; let it end the transaction."""
    refuse_while_frozen(organization=organization, asset=asset, livemode=livemode)
    hold = Hold.objects.create(
        public_id=new_id("hld"), organization=organization, asset=asset, livemode=livemode, purpose=purpose,
        subject=subject, amount=amount, created_at=now,
    )  # fmt: skip
    if purpose == BOOKING:
        budgets.take(hold=hold, through=through, now=now)
    lines = debit(_mine(hold, "buyer_available"), amount), credit(_mine(hold, "buyer_held"), amount)
    return hold, Fact("hold", hold.public_id, lines)


def capture(*, hold: Hold, ref: str, provider: Organization, split: Split) -> list[Fact]:
    """Take `split` out of the hold for the provider, the market and the tax office; no fact for what is in the books.

    Raises HoldClosed when less is left; then nothing is written.
    """
    _lock(hold)  # whoever captures the same use waits here for the first
    if not split.whole or Journal.objects.filter(book=MONEY, kind="capture", ref=ref).exists():
        return []
    if Hold.objects.filter(pk=hold.pk).with_rest(split.whole).update(captured=F("captured") + split.whole) != 1:
        raise _closed(hold, split.whole)
    hold.captured += split.whole
    budgets.count(moved={hold.pk: (split.whole, 0)})
    lines = [debit(_mine(hold, "buyer_held"), split.whole)]
    for kind, owner, amount in (
        ("provider_pending", provider, split.provider),
        ("platform_fee", None, split.fee),
        ("tax_payable", None, split.tax),
    ):
        if amount:
            account = account_of(kind=kind, owner=owner, asset=hold.asset, livemode=hold.livemode)
            lines.append(credit(account, amount))
    return [Fact("capture", ref, tuple(lines))]


def spend(*, hold: Hold, kind: str, ref: str, to: Account) -> list[Fact]:
    """Take all that the hold has for a journal of `kind` to one account; no fact where nothing is left."""
    _lock(hold)
    amount = hold.rest
    if not amount:
        return []
    Hold.objects.filter(pk=hold.pk).with_rest(amount).update(captured=F("captured") + amount)
    hold.captured += amount
    return [Fact(kind, ref, (debit(_mine(hold, "buyer_held"), amount), credit(to, amount)))]


def release(*, hold: Hold, amount: int | None = None) -> list[Fact]:
    """Give `amount`, or all that is left, back to the wallet; no fact when nothing is left.

    Raises HoldClosed when less is left; then nothing is written.
    """
    _lock(hold)
    freed = hold.rest if amount is None else amount
    if not freed:
        return []
    left = Hold.objects.filter(pk=hold.pk).with_rest(freed)
    if left.update(released=F("released") + freed, releases=F("releases") + 1) != 1:
        raise _closed(hold, freed)
    hold.released += freed
    hold.releases += 1
    budgets.count(moved={hold.pk: (0, freed)})
    lines = debit(_mine(hold, "buyer_held"), freed), credit(_mine(hold, "buyer_available"), freed)
    frozen = freeze_freed(organization=hold.organization, asset=hold.asset, livemode=hold.livemode, freed=freed)
    return [Fact("release", f"{hold.public_id}:{hold.releases}", lines), *frozen]


def release_many(*, amounts: Mapping[int, int]) -> list[Fact]:
    """Give `amounts` {hold's key: minor units > 0} back to their wallets; no hold that has less left by now.

    Holds are locked in the order of their keys, and accounts are looked up once for all.
    """
    found = Hold.objects.select_for_update(of=("self",)).select_related("organization")
    rows = list(found.filter(pk__in=amounts).order_by("pk"))
    rows = [row for row in rows if row.rest >= amounts[row.pk]]
    owners = {row.organization_id for row in rows}
    mine = {
        (each.owner_id, each.kind, each.asset, each.livemode): each
        for each in Account.objects.filter(owner__in=owners, kind__in=("buyer_available", "buyer_held"))
    }
    facts = []
    for row in rows:
        row.released, row.releases = row.released + amounts[row.pk], row.releases + 1
        held, available = (
            mine[row.organization_id, kind, row.asset, row.livemode] for kind in ("buyer_held", "buyer_available")
        )
        lines = debit(held, amounts[row.pk]), credit(available, amounts[row.pk])
        facts.append(Fact("release", f"{row.public_id}:{row.releases}", lines))
        facts += freeze_freed(
            organization=row.organization, asset=row.asset, livemode=row.livemode, freed=amounts[row.pk]
        )
    Hold.objects.bulk_update(rows, ["released", "releases"])
    budgets.count(moved={row.pk: (0, amounts[row.pk]) for row in rows})
    return facts


def _lock(hold: Hold) -> None:
    """Read the row again under its lock."""
    row = Hold.objects.select_for_update(of=("self",)).get(pk=hold.pk)
    hold.captured, hold.released, hold.releases = row.captured, row.released, row.releases


def _mine(hold: Hold, kind: str) -> Account:
    return account_of(kind=kind, owner=hold.organization, asset=hold.asset, livemode=hold.livemode)


def _closed(hold: Hold, asked: int) -> HoldClosed:
    left = Hold.objects.get(pk=hold.pk).rest
    return HoldClosed(f"hold {hold.public_id} has {left} left, not {asked}", id=hold.public_id, left=left, asked=asked)
