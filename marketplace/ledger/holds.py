"""Money of a wallet is held for a subject, captured for use, and released, here and nowhere else.

Locks: the hold first, then accounts in the order of their keys (`post`).
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from accounts.models import Organization
from marketplace.common.ids import new_id
from marketplace.ledger.errors import HoldClosed
from marketplace.ledger.kinds import MONEY
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.models import Account, Hold, Journal
from marketplace.ledger.services import account_of, post


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
    purpose: str = "booking",
) -> Hold:
    """Keep `amount` > 0 minor units of the wallet for `subject`. Raises InsufficientFunds; then nothing is written."""
    hold = Hold.objects.create(
        public_id=new_id("hld"), organization=organization, asset=asset, livemode=livemode, purpose=purpose,
        subject=subject, amount=amount, created_at=now,
    )  # fmt: skip
    lines = [debit(_mine(hold, "buyer_available"), amount), credit(_mine(hold, "buyer_held"), amount)]
    post(kind="hold", ref=hold.public_id, lines=lines, now=now, actor=actor)
    return hold


@transaction.atomic
def capture(*, hold: Hold, ref: str, provider: Organization, split: Split, now: datetime, actor: str) -> Journal | None:
    """Give `split` of the hold to the provider, the market and the tax office; None for nothing.

    A second call with the same `ref` gives the journal that is there. Raises HoldClosed when less is left; then nothing
    is written.
    """
    if not split.whole:
        return None
    Hold.objects.select_for_update().get(pk=hold.pk)  # whoever captures the same use waits here for the first
    if written := Journal.objects.filter(book=MONEY, kind="capture", ref=ref).first():
        return written
    if Hold.objects.filter(pk=hold.pk).with_rest(split.whole).update(captured=F("captured") + split.whole) != 1:
        raise _closed(hold, split.whole)
    hold.refresh_from_db()
    lines = [debit(_mine(hold, "buyer_held"), split.whole)]
    for kind, owner, amount in (
        ("provider_pending", provider, split.provider),
        ("platform_fee", None, split.fee),
        ("tax_payable", None, split.tax),
    ):
        if amount:
            account = account_of(kind=kind, owner=owner, asset=hold.asset, livemode=hold.livemode)
            lines.append(credit(account, amount))
    return post(kind="capture", ref=ref, lines=lines, now=now, actor=actor)


@transaction.atomic
def release(*, hold: Hold, now: datetime, actor: str, amount: int | None = None) -> Journal | None:
    """Give `amount`, or all that is left, back to the wallet; None when nothing is left.

    Raises HoldClosed when less is left; then nothing is written.
    """
    row = Hold.objects.select_for_update().get(pk=hold.pk)
    freed = row.rest if amount is None else amount
    if not freed:
        return None
    if Hold.objects.filter(pk=row.pk).with_rest(freed).update(
        released=F("released") + freed, releases=F("releases") + 1
    ) != 1:  # fmt: skip
        raise _closed(row, freed)
    hold.refresh_from_db()
    lines = [debit(_mine(hold, "buyer_held"), freed), credit(_mine(hold, "buyer_available"), freed)]
    return post(kind="release", ref=f"{hold.public_id}:{hold.releases}", lines=lines, now=now, actor=actor)


def _mine(hold: Hold, kind: str) -> Account:
    return account_of(kind=kind, owner=hold.organization, asset=hold.asset, livemode=hold.livemode)


def _closed(hold: Hold, asked: int) -> HoldClosed:
    left = Hold.objects.get(pk=hold.pk).rest
    return HoldClosed(f"hold {hold.public_id} has {left} left, not {asked}", id=hold.public_id, left=left, asked=asked)
