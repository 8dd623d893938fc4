"""Standing orders are kept here: the missing hours of each are looked for on one snapshot of the shelf, then bought.

Offers are compared by the ranking that quotes use and bought through the same doors, block by block, each block in a
transaction of its own that locks the order first. Two workers never buy for one order at once; if they did, the
database would refuse the second (`standing_hour_once`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from marketplace.booking import services as booking
from marketplace.booking import standing
from marketplace.booking.changing import FIRM
from marketplace.booking.contracts import price_of
from marketplace.booking.errors import CapacityTaken
from marketplace.booking.models import Reservation, StandingHour, StandingOrder
from marketplace.booking.models.standing import CAPACITY, GREENNESS, MONEY, PRICE, SHELF
from marketplace.common.clock import HOUR
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.ledger.errors import BudgetExceeded, InsufficientFunds, SpendLimitReached, WalletFrozen
from scheduler.core.ranking import Ranking, rank
from scheduler.core.types import Snapshot
from scheduler.errors import NoOfferFits
from scheduler.inside import extend_reservation
from scheduler.quoting import make_quote
from scheduler.references import as_core, reference_of
from scheduler.requests import segment_of
from scheduler.search import Need, ask_of_need
from scheduler.snapshot import read_shelf, take_snapshot

LOOK_AGAIN = timedelta(minutes=5)
CHEAPEST = (100, 0, 0)
NO_MONEY = (BudgetExceeded, InsufficientFunds, SpendLimitReached, WalletFrozen)
TOO_LATE = (CapacityTaken, IllegalState, NoOfferFits, ValidationFailed)  # the shelf or the reservation has changed
# Which refusal is told when offers lack one thing each: what a buyer can change comes first.
WHY: Mapping[str, str] = {"price": PRICE, "renewable": GREENNESS, "capacity": CAPACITY}


@dataclass(frozen=True, slots=True)
class Block:
    """Hours in a row that may be bought together, and of whom: public ids of offers, the cheapest first."""

    hours: Sequence[datetime]
    offers: Sequence[str]

    @property
    def start(self) -> datetime:
        return self.hours[0]

    @property
    def end(self) -> datetime:
        return self.hours[-1] + HOUR


@dataclass(slots=True)
class Plan:
    """What can be bought of what is missing, and why the rest cannot."""

    blocks: list[Block] = field(default_factory=list)
    refused: dict[datetime, str] = field(default_factory=dict)


def keep_orders(*, now: datetime) -> int:
    """Look after every order whose turn has come; how many hours were bought."""
    due = list(StandingOrder.objects.due(now).values_list("pk", flat=True))
    return sum(keep_order(key=key, now=now) for key in due)


def keep_order(*, key: int, now: datetime) -> int:
    """Buy what can be had of the missing hours of one order, and say why the rest cannot; how many were bought."""
    order = _claimed(key, now)
    if order is None:
        return 0
    bought, plan = 0, _plan(order, standing.wanted_runs(order, now), now)
    for block in plan.blocks:
        hours, why = _buy(order.pk, block, now)
        bought += hours
        plan.refused |= dict.fromkeys(block.hours, why) if why else {}
    missing = sorted(plan.refused)
    short = plan.refused[missing[0]] if missing else ""
    standing.note_look(order=order, short=short, hours=missing, now=now, next_look=now + LOOK_AGAIN)
    return bought


@transaction.atomic
def _claimed(key: int, now: datetime) -> StandingOrder | None:
    """The order, if it is free and still wants something; its next turn is set, so that no other worker looks too."""
    order = standing.free_order(key)
    if order is None or order.look_at > now or standing.end_if_over(order=order, now=now):
        return None
    standing.forget_lost(order=order, now=now)
    StandingOrder.objects.filter(pk=order.pk).update(look_at=now + LOOK_AGAIN)
    return order


def _plan(order: StandingOrder, runs: Sequence[Sequence[datetime]], now: datetime) -> Plan:
    """Blocks as long as the order buys them, shorter where no offer has that many hours within the terms."""
    plan = Plan()
    if not runs:
        return plan
    snapshot = _snapshot(order, now)
    for run in runs:
        at = 0
        while at < len(run):
            block, ranking = _longest(order, run[at : at + order.block_hours], snapshot)
            if block is None:
                plan.refused[run[at]] = why_not(ranking)
            else:
                plan.blocks.append(block)
            at += len(block.hours) if block else 1
    return plan


def _longest(order: StandingOrder, hours: Sequence[datetime], snapshot: Snapshot) -> tuple[Block | None, Ranking]:
    """The hours, or the first half of them, and so on, that some offer has; the ranking of the last try."""
    while True:
        need = need_of(order, hours[0], len(hours))
        ranking = rank(snapshot, ask_of_need(need), with_relax=False)
        if ranking.ranked:
            return Block(hours, [each.offer.id for each in ranking.ranked]), ranking
        if len(hours) == 1:
            return None, ranking
        hours = hours[: len(hours) // 2]


def why_not(ranking: Ranking) -> str:
    """What keeps the nearest offers from one hour: the terms they fail, if nothing else, else that none is like it."""
    near = [codes for _, codes in ranking.refused if set(codes) <= set(WHY)]
    fewest = [codes for codes in near if len(codes) == min(map(len, near))]
    return next((why for code, why in WHY.items() if any(code in codes for codes in fewest)), SHELF)


def need_of(order: StandingOrder, start: datetime, hours: int, **limits: Any) -> Need:
    """The order's wish for these hours, the cheapest first."""
    where = dict(order.where) | {"currency": [order.budget.asset]} | limits
    near = where.pop("near", None)
    return Need(units=order.units, hours=hours, near=near, weights=CHEAPEST, when="now", limits=where, start=start)


def _snapshot(order: StandingOrder, now: datetime) -> Snapshot:
    segment = segment_of(order.where["accelerator"])
    shelf = read_shelf(now=now, families=[segment])
    return take_snapshot(
        shelf=shelf, asks=[], reference=as_core(reference_of(segment, now)), now=now, mode="greedy"
    )  # fmt: skip


def _buy(key: int, block: Block, now: datetime) -> tuple[int, str]:
    """Buy the block for the order: (hours bought, why none). No reason where the order wants it no more."""
    try:
        with transaction.atomic():
            order = standing.free_order(key)
            if order is None or not set(block.hours) <= set(standing.missing_hours(order, now)):
                return 0, ""
            if not _buy_longer(order, block, now):
                _buy_new(order, block, now)
            return len(block.hours), ""
    except NO_MONEY:
        return 0, MONEY
    except TOO_LATE:
        return 0, CAPACITY


def _buy_longer(order: StandingOrder, block: Block, now: datetime) -> bool:
    """Extend the reservation that keeps the hour before, if it ends there and its offer is within the terms."""
    before = _kept_before(order, block)
    if before is None or before.state not in FIRM or before.end != block.start or before.units != order.units:
        return False
    if before.offer.public_id not in block.offers:
        return False
    hours = len(block.hours)
    make_quote(buyer=order.buyer, need=need_of(order, block.start, hours, offer=[before.offer.public_id]), now=now)
    _, total = price_of(before.offer, order.units, block.start, block.end)
    extend_reservation(
        reservation=before, hours=hours, now=now, shown_minor=total, through=standing.through(order)
    )  # fmt: skip
    standing.note_bought(
        order=order, reservation=before, hours=block.hours, now=now, total_minor=total, longer=True
    )  # fmt: skip
    return True


def _buy_new(order: StandingOrder, block: Block, now: datetime) -> None:
    """A reservation of the offer that keeps the hour before, if it is within the terms, else of the cheapest."""
    before = _kept_before(order, block)
    same = before.offer.public_id if before else ""
    offer = same if same in block.offers else block.offers[0]
    need = need_of(order, block.start, len(block.hours), offer=[offer])
    quote = make_quote(buyer=order.buyer, need=need, now=now)
    held = booking.hold_option(quote=quote, option=1, now=now)
    booking.confirm(reservation=held, now=now, through=standing.through(order))
    standing.note_bought(
        order=order, reservation=held, hours=block.hours, now=now, total_minor=held.contract.total_minor, longer=False
    )  # fmt: skip


def _kept_before(order: StandingOrder, block: Block) -> Reservation | None:
    row = StandingHour.objects.filter(order=order, hour=block.start - HOUR).first()
    return Reservation.objects.with_terms().get(pk=row.reservation_id) if row else None
