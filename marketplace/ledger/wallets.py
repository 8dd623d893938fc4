"""The wallet of an organization: what it can spend, and money that comes in by a bank's own ways."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Organization
from marketplace.ledger.kinds import WALLET
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.models import Account, Journal
from marketplace.ledger.services import account_of, post


@dataclass(frozen=True, slots=True)
class Wallet:
    """What one organization has of one currency, in minor units."""

    asset: str
    livemode: bool
    available: int = 0
    held: int = 0
    frozen: int = 0


def wallet_of(*, organization: Organization, asset: str, livemode: bool) -> Wallet:
    """The wallet as it stands; one that was never used is empty."""
    mine = Account.objects.filter(owner=organization, asset=asset, livemode=livemode, kind__in=WALLET.values())
    parts = {kind.removeprefix("buyer_"): balance for kind, balance in mine.values_list("kind", "balance")}
    return Wallet(asset, livemode, **parts)


def wallets_of(*, organization: Organization) -> list[Wallet]:
    """All wallets of the organization, its own currency first."""
    found = (
        Account.objects.filter(owner=organization, kind__in=WALLET.values()).values_list("asset", "livemode").distinct()
    )
    keys = sorted(found, key=lambda key: (key[0] != organization.currency, *key))
    return [wallet_of(organization=organization, asset=asset, livemode=livemode) for asset, livemode in keys]


def top_up_offline(
    *, organization: Organization, asset: str, livemode: bool, amount: int, ref: str, now: datetime, actor: str
) -> Journal:
    """Credit `amount` > 0 that came to the operator's bank; `ref` is the bank's reference, which counts once."""
    bank = account_of(kind="operator_bank", owner=None, asset=asset, livemode=livemode)
    mine = account_of(kind="buyer_available", owner=organization, asset=asset, livemode=livemode)
    lines = [debit(bank, amount), credit(mine, amount)]
    return post(kind="topup_offline", ref=ref, lines=lines, now=now, actor=actor)
