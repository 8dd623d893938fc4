"""Money of an organization: its wallet, what is paid in, what goes back, what moved. Amounts are minor units."""

from dataclasses import dataclass
from datetime import datetime

from .objects import Record

DECIDED = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class Wallet(Record):
    """What can be spent of one currency, what is held for orders, and what a disputed payment freezes."""

    currency: str = ""
    livemode: bool = False
    available_minor: int = 0
    held_minor: int = 0
    frozen_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Wallets(Record):
    """All wallets of an organization, its own currency first."""

    data: tuple[Wallet, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Topup(Record):
    """Money on its way in; `url` is the processor's page on which it is paid, while it is open."""

    id: str
    state: str = ""
    reason: str = ""
    currency: str = ""
    livemode: bool = False
    amount_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    automatic: bool = False
    url: str = ""
    created_at: datetime | None = None

    @property
    def is_decided(self) -> bool:
        """Whether it was paid, refused or given up."""
        return self.state in DECIDED


@dataclass(frozen=True, kw_only=True)
class Refund(Record):
    """Money on its way back to the card of a top-up."""

    id: str
    topup: str = ""
    state: str = ""
    reason: str = ""
    currency: str = ""
    amount_minor: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Refunds(Record):
    """The refunds of one request: one for each card that money goes back to."""

    data: tuple[Refund, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Movement(Record):
    """What one journal moved on the wallet: `kind` says why, `reference` what for."""

    id: str
    kind: str = ""
    reference: str = ""
    currency: str = ""
    available_minor: int = 0
    held_minor: int = 0
    frozen_minor: int = 0
    posted_at: datetime | None = None
