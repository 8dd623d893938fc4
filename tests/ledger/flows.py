"""What may happen to money at the processor, and its messages about it in any order, doubled, late or lost.

Each flow is a list of steps; between any two of them any messages may arrive. What the books say in the end must not
depend on that.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from django.conf import settings
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


def _await_payment(cashier: Cashier, told: dict[str, Any]) -> None:
    """What follows needs the wallet's money."""
    cashier.hear()
    told["payment"].refresh_from_db()


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


FLOWS: dict[str, Sequence[Step]] = {
    "a card is declined, then pays": (_start, _pay("declined"), _pay("ok")),
    "slow money": (_start, _pay("slow"), lambda cashier, _: cashier.passes(timedelta(minutes=2))),
    "a refund that the bank returns": (
        _start, _pay("ok"), _await_payment, lambda cashier, _: cashier.refund(4_000), lambda cashier, _: cashier.send(),
        lambda cashier, _: cashier.bank_returns(),
    ),
    "a dispute that is won": (_start, _pay("ok"), _await_payment, _spend, _dispute, _decide(won=True)),
    "a dispute that is lost": (_start, _pay("ok"), _await_payment, _spend, _dispute, _decide(won=False)),
    "an inquiry that becomes a dispute": (
        _start, _pay("ok"), _await_payment, _inquire, lambda cashier, told: cashier.escalate(told["dispute"]),
    ),
    "a transfer that is taken back in two parts": (
        _start, _pay("ok"), _await_payment, _earn, _pay_out, _take_back(608), _take_back(1_000),
    ),
}  # fmt: skip


def run_flow(flow: str, dice: Random | None) -> tuple[Any, ...]:
    """What the books say of one flow; in order without dice, else in an order that they choose.

    Messages are doubled, held back and lost; what was lost is found by asking the processor.
    """
    cashier, told = Cashier(timezone.now()), dict[str, Any]()
    before, began = Journal.objects.order_by("-pk").values_list("pk", flat=True).first() or 0, cashier.now
    seen = WebhookReceipt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    for step in FLOWS[flow]:
        step(cashier, told)
        if dice is not None:
            _some_arrive(dice, began, seen)
    _all_arrive(dice, began, seen)
    return _books(cashier, before)


def _events(began: Any) -> list[Any]:
    return list(gateway_of(settings.PAYMENT_GATEWAY).events_since(began - timedelta(seconds=1)))


def _some_arrive(dice: Random, began: Any, seen: int) -> None:
    events = _events(began)
    chosen = [event for event in events if dice.random() < 0.5]
    dice.shuffle(chosen)
    _apply(chosen, dice, seen)


def _all_arrive(dice: Random | None, began: Any, seen: int) -> None:
    events = _events(began)
    if dice is not None:
        dice.shuffle(events)
    _apply(events, dice, seen)


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
