"""What may happen to money at the processor, and its messages about it in any order, doubled, late or lost.

Each flow is a list of steps; around them any messages may arrive. What the books say in the end must not depend on
that.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from marketplace.ledger import webhooks
from marketplace.ledger.gateways import gateway_of
from marketplace.ledger.holds import hold_money
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.models import Account, Entry, Journal, WebhookReceipt
from marketplace.ledger.payouts import make_payouts, reverse_payout
from marketplace.ledger.services import account_of, post
from tests.ledger.cashier import MONEY, Cashier

Step = Callable[[Cashier, dict[str, Any]], object]


def _start(cashier: Cashier, told: dict[str, Any]) -> None:
    told["payment"] = cashier.start(10_000)


def _pay(outcome: str) -> Step:
    return lambda cashier, told: cashier.pay(told["payment"], outcome)


def _dispute(cashier: Cashier, told: dict[str, Any]) -> None:
    told["dispute"] = cashier.dispute(told["payment"], **told.get("how", {}))


def _inquire(cashier: Cashier, told: dict[str, Any]) -> None:
    told["how"] = {"inquiry": True}
    _dispute(cashier, told)


def _decide(*, won: bool) -> Step:
    return lambda cashier, told: cashier.decide(told["dispute"], won=won)


def _spend(cashier: Cashier, told: dict[str, Any]) -> None:
    """A part of the wallet is held for a job when the dispute comes."""
    hold_money(
        organization=cashier.buyer, amount=1_827, subject=f"job_{cashier.buyer.pk}", now=cashier.now, actor="test",
        **MONEY,
    )  # fmt: skip


def _earn(cashier: Cashier, told: dict[str, Any]) -> None:
    """The provider has matured earnings, and the processor knows it."""
    payable = account_of(kind="provider_payable", owner=cashier.provider, **MONEY)
    fee = account_of(kind="platform_fee", owner=None, **MONEY)
    post(kind="mature", ref=f"chl_{cashier.provider.pk}", lines=[debit(fee, 1_608), credit(payable, 1_608)],
         now=cashier.now, actor="test")  # fmt: skip
    cashier.onboarded()


def _pay_out(cashier: Cashier, told: dict[str, Any]) -> None:
    make_payouts(now=cashier.now)
    cashier.send()
    told["payout"] = cashier.provider.payouts.get()


def _take_back(amount: int) -> Step:
    def step(cashier: Cashier, told: dict[str, Any]) -> None:
        reverse_payout(payout=told["payout"], amount=amount, now=cashier.now)
        cashier.send()

    return step


@dataclass(frozen=True, slots=True)
class Flow:
    """`begin` is heard of to its last message; around the steps of `then` messages arrive in any order."""

    begin: Sequence[Step]
    then: Sequence[Step]


PAID = (_start, _pay("ok"))
FLOWS: dict[str, Flow] = {
    "a card is declined, then pays": Flow((_start,), (_pay("declined"), _pay("ok"))),
    "slow money": Flow((_start,), (_pay("slow"), lambda cashier, _: cashier.passes(timedelta(minutes=2)))),
    "a refund that the bank returns": Flow(PAID, (
        lambda cashier, _: cashier.refund(4_000), lambda cashier, _: cashier.send(),
        lambda cashier, _: cashier.bank_returns(),
    )),
    "a dispute that is won": Flow((*PAID, _spend), (_dispute, _decide(won=True))),
    "a dispute that is lost": Flow((*PAID, _spend), (_dispute, _decide(won=False))),
    "an inquiry that becomes a dispute": Flow(
        PAID, (_inquire, lambda cashier, told: cashier.escalate(told["dispute"]))
    ),
    "a transfer that is taken back in two parts": Flow(
        (*PAID, _earn), (_pay_out, _take_back(608), _take_back(1_000))
    ),
}  # fmt: skip


class Begun:
    """A flow of which every message so far was heard; how it goes on can be tried again and again."""

    def __init__(self, flow: str) -> None:
        self.before = Journal.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self.seen = WebhookReceipt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self.flow, self.cashier, self.told = FLOWS[flow], Cashier(timezone.now()), dict[str, Any]()
        self.began = self.cashier.now
        for step in self.flow.begin:
            step(self.cashier, self.told)
            self.cashier.hear()

    def books(self, dice: Random | None) -> tuple[Any, ...]:
        """What the books say in the end; messages in order without dice, else in an order that they choose.

        They are doubled, held back and lost, those of the beginning too; what was lost is found by asking the
        processor. Afterwards nothing of it has happened.
        """
        told, self.cashier.now = dict(self.told), self.began
        told["payment"].refresh_from_db()
        with taken_back():
            for step in self.flow.then:
                step(self.cashier, told)
                if dice is not None:
                    self._some_arrive(dice)
            self._all_arrive(dice)
            connection.check_constraints()
            return _books(self.cashier, self.before)

    def _events(self) -> list[Any]:
        return list(gateway_of(settings.PAYMENT_GATEWAY).events_since(self.began - timedelta(seconds=1)))

    def _some_arrive(self, dice: Random) -> None:
        chosen = [event for event in self._events() if dice.random() < 0.5]
        dice.shuffle(chosen)
        _apply(chosen, dice, self.seen)

    def _all_arrive(self, dice: Random | None) -> None:
        events = self._events()
        if dice is not None:
            dice.shuffle(events)
        _apply(events, dice, self.seen)


@contextmanager
def taken_back() -> Iterator[None]:
    """All within is in one transaction, as a test's, and none of it has happened afterwards."""
    block = transaction.atomic()
    block._from_testcase = True  # Django's own mark: durable transactions may begin inside
    with block:
        yield
        transaction.set_rollback(True)


def _apply(events: list[Any], dice: Random | None, seen: int) -> None:
    """Messages arrive in this order, each applied before the next; some that were applied come again."""
    now = timezone.now()
    for event in events:
        webhooks.keep(gateway=settings.PAYMENT_GATEWAY, events=[event], now=now)
        if dice is not None and dice.random() < 0.3:
            WebhookReceipt.objects.filter(pk__gt=seen, event=event.id).update(applied_at=None, next_try_at=now)
        while webhooks.apply_due(now=now):
            pass


def _books(cashier: Cashier, before: int) -> tuple[Any, ...]:
    """Balances of both organizations, and what every journal of the flow moved on accounts of a kind."""
    owners = (cashier.buyer.pk, cashier.provider.pk)
    mine = Account.objects.filter(owner__in=owners, balance__gt=0)
    balances = sorted(mine.values_list("kind", "balance"))
    entries = Entry.objects.filter(journal__pk__gt=before)
    sums: dict[tuple[str, str], int] = {}
    for kind, account, amount in entries.values_list("journal__kind", "account__kind", "amount"):
        sums[kind, account] = sums.get((kind, account), 0) + amount
    final = {key: value for key, value in sums.items() if key[0] not in {"freeze", "unfreeze"}}
    return (tuple(balances), tuple(sorted(final.items())))
