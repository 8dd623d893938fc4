"""`client.wallet`: what there is, paying in, sending back, and what moved."""

import time
from typing import Any

from . import calls
from .errors import WaitTimedOut
from .paging import Pager
from .transport import Transport
from .wallet_objects import Movement, Refund, Topup, Wallet

POLL_S = 2.0


class WalletResource:
    """The wallet of the organization that the key belongs to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> Wallet:
        """The wallet in the organization's own currency."""
        return self.all()[0]

    def all(self) -> tuple[Wallet, ...]:
        """Every wallet, the organization's own currency first."""
        return self._transport.fetch(calls.wallets()).data

    def topup(self, amount_minor: int, *, save_method: bool = False, idempotency_key: str | None = None) -> Topup:
        """Start a top-up; it is paid on the page at `url`. Raises Invalid, MoneyRefused."""
        return self._transport.fetch(
            calls.create_topup(amount_minor, save_method=save_method, key=idempotency_key, dry_run=False)
        )

    def plan_topup(self, amount_minor: int, *, save_method: bool = False) -> Topup:
        """All checks of a top-up; nothing is started."""
        return self._transport.fetch(calls.create_topup(amount_minor, save_method=save_method, key=None, dry_run=True))

    def get_topup(self, topup_id: str) -> Topup:
        """Where a top-up stands."""
        return self._transport.fetch(calls.get(Topup, "wallet", "topups", topup_id))

    def wait_for(self, topup_id: str, *, timeout_s: float | None = None) -> Topup:
        """The top-up once it was paid, refused or given up. Raises WaitTimedOut; it goes on then."""
        began = time.monotonic()
        while not (topup := self.get_topup(topup_id)).is_decided:
            if timeout_s is not None and time.monotonic() - began > timeout_s:
                raise WaitTimedOut(f"{topup_id} is {topup.state} after {timeout_s:g} s; it goes on")
            self._transport.sleep(POLL_S)
        return topup

    def topups(self, **params: Any) -> Pager[Topup]:
        """Top-ups, the newest first."""
        return Pager(calls.get(Topup, "wallet", "topups", **params), self._transport.fetch_page)

    def refund(self, amount_minor: int, *, idempotency_key: str | None = None) -> tuple[Refund, ...]:
        """Send money back to the cards that paid it, the newest top-up first. Raises MoneyRefused."""
        return self._transport.fetch(calls.create_refund(amount_minor, key=idempotency_key, dry_run=False)).data

    def plan_refund(self, amount_minor: int) -> tuple[Refund, ...]:
        """All checks of a refund; nothing goes back."""
        return self._transport.fetch(calls.create_refund(amount_minor, key=None, dry_run=True)).data

    def refunds(self, **params: Any) -> Pager[Refund]:
        """Refunds, the newest first."""
        return Pager(calls.get(Refund, "wallet", "refunds", **params), self._transport.fetch_page)

    def movements(self, **params: Any) -> Pager[Movement]:
        """What moved on the wallet, the newest first."""
        return Pager(calls.get(Movement, "wallet", "movements", **params), self._transport.fetch_page)
