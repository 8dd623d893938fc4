"""The waiting list is served here: in the order of joining, each place is looked for on one snapshot of two weeks.

A place that can be had is taken through the doors of quotes and reservations. One that cannot is expected where it
would fit after those ahead, and these hours are kept from those behind: nobody is delayed by somebody who came later.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import ApiKey, Organization
from marketplace.booking import services as booking
from marketplace.booking import waiting
from marketplace.booking.errors import CapacityTaken
from marketplace.booking.models import Reservation, Wait
from marketplace.booking.waiting import Wanted
from marketplace.common.clock import HOUR, hour_ceil
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.ledger.budgets import Through
from marketplace.ledger.errors import BudgetExceeded, InsufficientFunds, SpendLimitReached, WalletFrozen
from scheduler.asks import moment, seconds
from scheduler.core import explain
from scheduler.core.ranking import Ranked, hours_between, rank_in
from scheduler.core.scoring import NEVER
from scheduler.core.survey import Round
from scheduler.core.types import START_MARGIN_S, Ask, Placement
from scheduler.errors import NoOfferFits
from scheduler.explaining import ways_out
from scheduler.quoting import make_quote
from scheduler.references import as_core, reference_of
from scheduler.search import Need, ask_of_need, family_of
from scheduler.snapshot import DUE_HORIZON_HOURS, read_shelf, take_snapshot

CHEAPEST = (100, 0, 0)
MARGIN = timedelta(seconds=START_MARGIN_S)  # every window ends so long before its last start
NO_MONEY = (BudgetExceeded, InsufficientFunds, SpendLimitReached, WalletFrozen)
TOO_LATE = (CapacityTaken, NoOfferFits, ValidationFailed)  # the shelf has changed since the snapshot


@transaction.atomic
def join_list(*, buyer: Organization, wanted: Wanted, now: datetime, api_key: ApiKey | None = None) -> Wait:
    """Join the list and say at once which place that is and when it is expected to start.

    Raises IllegalState when the hours are free, NoOfferFits when nobody could ever give them, ValidationFailed.
    """
    family = family_of(wanted.where)
    wait = waiting.join(buyer=buyer, wanted=wanted, family=family, now=now, api_key=api_key)
    line = Line(family, now)
    if found := line.free_for(wait):
        raise IllegalState(
            "these hours are free: reserve them", offer=found.offer.id, hint="ask for a quote instead of waiting"
        )
    if not line.offers_for(wait):
        ranking = rank_in(line.market, line.within(wait))
        raise NoOfferFits(
            rejected=ranking.rejected, relax=ways_out([explain.relax_as_json(each) for each in ranking.relax])
        )
    for each in Wait.objects.in_turn(family).with_terms():
        line.place(wait if each.pk == wait.pk else each)
    return wait


def serve_waiting(*, now: datetime) -> int:
    """Give everybody who waits what there is room for, and tell the others their place; how many were served."""
    families = Wait.objects.waiting().order_by("family").values_list("family", flat=True).distinct()
    return sum(_serve_line(family, now) for family in list(families))


def _serve_line(family: str, now: datetime) -> int:
    line, served = Line(family, now), 0
    for wait in list(Wait.objects.in_turn(family).with_terms()):
        if waiting.is_over(wait, now):
            waiting.end_over(key=wait.pk, now=now)
            continue
        found = line.free_for(wait)
        if found and (held := _serve(wait.pk, found, now)):
            line.take(held.offer.public_id, held.units, held.start, held.end)
            served += 1
        else:
            line.place(wait)
    return served


class Line:
    """Those who wait for hardware of one family, before the market as it is."""

    def __init__(self, family: str, now: datetime) -> None:
        self.now = now
        shelf = read_shelf(now=now, families=[family], hours=DUE_HORIZON_HOURS)
        self.market = Round(
            take_snapshot(
                shelf=shelf, asks=[], reference=as_core(reference_of(family, now)), now=now, mode="greedy",
                hours=DUE_HORIZON_HOURS,
            )
        )  # fmt: skip
        self.ahead: list[set[str]] = []

    def within(self, wait: Wait) -> Ask:
        """What it asks for, in time."""
        return ask_of_need(need_of(wait, self.now))

    def ever(self, wait: Wait) -> Ask:
        """The same, however late within two weeks."""
        return replace(self.within(wait), finish_by_s=None, due_s=seconds(self.now))

    def free_for(self, wait: Wait) -> Ranked | None:
        """The earliest, then cheapest hours that it can have now."""
        return next(iter(rank_in(self.market, self.within(wait), with_relax=False).ranked), None)

    def offers_for(self, wait: Wait) -> set[str]:
        """Public ids of the offers that would do if nothing were promised."""
        survey = self.market.survey(self.ever(wait))
        picks = survey.spans.picks[(survey.key_when_empty < NEVER).any(axis=0)]
        return {self.market.market.offers[pick].id for pick in picks.tolist()}

    def place(self, wait: Wait) -> None:
        """Note its place: how many ahead wait for an offer that it waits for, and when it is expected to start."""
        offers = self.offers_for(wait)
        ahead = sum(not offers.isdisjoint(each) for each in self.ahead)
        self.ahead.append(offers)
        found = next(iter(rank_in(self.market, self.ever(wait), with_relax=False).ranked), None)
        start = moment(found.start_s) if found else None
        waiting.note_place(wait=wait, ahead=ahead, expected=start, now=self.now)
        if found and start and (wait.start_by is None or start <= wait.start_by):
            self.take(found.offer.id, wait.units, start, moment(found.end_s))

    def take(self, offer: str, units: int, start: datetime, end: datetime) -> None:
        """These hours are not for those behind."""
        first, last = seconds(start), seconds(end)
        hours = tuple(hours_between(first, last))
        self.market.take_hours(Placement("", offer, first, last, units, hours, 0, 0, 0))


def need_of(wait: Wait, now: datetime) -> Need:
    """What it waits for as a quote asks for it: from a whole hour on, the soonest and then the cheapest."""
    where = dict(wait.where) | {"currency": [wait.buyer.currency]}
    near = where.pop("near", None)
    return Need(
        units=wait.units, hours=wait.hours, near=near, weights=CHEAPEST, when="now", limits=where,
        start_after=max(hour_ceil(now), wait.start_after or now),
        finish_by=wait.start_by + wait.hours * HOUR + MARGIN if wait.start_by else None,
    )  # fmt: skip


def _serve(key: int, found: Ranked, now: datetime) -> Reservation | None:
    """Hold these hours for the wait, and confirm them if it said so; None where another worker was first."""
    try:
        with transaction.atomic():
            wait = waiting.free_wait(key)
            if wait is None:
                return None
            start = moment(found.start_s)
            need = replace(need_of(wait, now), start=start)
            need = replace(need, limits=dict(need.limits) | {"offer": [found.offer.id]})
            quote = make_quote(buyer=wait.buyer, need=need, now=now, lasts=waiting.answer_within(start, now))
            held = booking.hold_option(quote=quote, option=1, now=now)
            if wait.reserve:
                _confirm(wait, held, now)
            waiting.note_served(wait=wait, reservation=held, now=now)
            return held
    except TOO_LATE:
        return None


def _confirm(wait: Wait, held: Reservation, now: datetime) -> None:
    """Make it firm; where money lacks it stays held, so that its buyer may top up."""
    try:
        with transaction.atomic():
            booking.confirm(reservation=held, now=now, through=Through(wait.api_key))
    except NO_MONEY:
        held.refresh_from_db(fields=["state", "version", "reason"])
