"""What happened on a wallet, journal by journal, with what was available behind each; as rows, and as CSV."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any

from django.db.models import Sum

from accounts.models import Organization
from marketplace.common.clock import rfc3339
from marketplace.common.currencies import figure
from marketplace.ledger.kinds import WALLET
from marketplace.ledger.models import Entry, Journal
from marketplace.ledger.statements import plain
from marketplace.ledger.wallets import Wallet

COLUMNS = (
    "posted_at", "journal", "kind", "reference", "available", "held", "frozen", "available_after", "asset",
    "test_money",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    """One journal: what it moved on each part of the wallet, and what was available behind it, in minor units."""

    journal: str
    kind: str
    ref: str
    posted_at: datetime
    available: int
    held: int
    frozen: int
    left: int


def movements_of(rows: Sequence[Any], *, organization: Organization, wallet: Wallet) -> list[Movement]:
    """`rows` of `Journal.objects.of_wallet` that follow one another, the newest first, with the balance behind each."""
    if not rows:
        return []
    before = Entry.objects.filter(
        account__owner=organization, account__kind=WALLET["available"], account__asset=wallet.asset,
        account__livemode=wallet.livemode, journal__lte=rows[0].pk,
    )  # fmt: skip
    left = -int(before.aggregate(sum=Sum("amount"))["sum"] or 0)
    told = []
    for row in rows:
        told.append(
            Movement(row.public_id, row.kind, row.ref, row.posted_at, row.available, row.held, row.frozen, left)
        )
        left -= row.available
    return told


def began(*, organization: Organization, wallet: Wallet) -> datetime | None:
    """When the wallet was first moved."""
    mine = Journal.objects.of_wallet(organization, asset=wallet.asset, livemode=wallet.livemode)
    moment: datetime | None = mine.order_by("pk").values_list("posted_at", flat=True).first()
    return moment


def as_csv(movements: Iterable[Movement], wallet: Wallet) -> str:
    """Movements with a head line, in their order, money as plain decimals; text never begins like a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in movements:
        amounts = (figure(value, wallet.asset) for value in (each.available, each.held, each.frozen, each.left))
        about = rfc3339(each.posted_at), each.journal, each.kind, plain(each.ref)
        writer.writerow([*about, *amounts, wallet.asset, "no" if wallet.livemode else "yes"])
    return out.getvalue()
