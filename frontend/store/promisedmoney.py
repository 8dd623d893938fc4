"""The money of jobs and reservations as their pages tell it: held, charged so far, back in the wallet, credited."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from frontend.components import states
from frontend.components.formats import duration, moment, money, offset, percent_exact
from frontend.store.movewords import credit_words
from marketplace.booking.models import ServiceCredit
from marketplace.booking.pricing import BASIS
from marketplace.ledger.models import Hold

PPM_OF_BASIS = 1_000_000 // BASIS


@dataclass(frozen=True, slots=True)
class PromisedMoney:
    """In minor units: what is still held for a thing, what it was charged, what came back of the last hold."""

    currency: str
    held: int
    charged: int
    returned: int


def money_of(subjects: Iterable[str], currency: str) -> PromisedMoney | None:
    """The money of a job, or of a reservation and what was added to it; None where nothing was ever held."""
    holds = list(Hold.objects.filter(subject__in=list(subjects), purpose="booking").order_by("pk"))
    if not holds:
        return None
    last = holds[-1]
    return PromisedMoney(
        currency=currency, held=sum(each.rest for each in holds), charged=sum(each.captured for each in holds),
        returned=last.released if not last.rest else 0,
    )  # fmt: skip


def credits_of(subjects: Iterable[str]) -> list[dict[str, Any]]:
    """Service credits for these attempts or reservations, and for their parts (`att_…:7`), with their reason."""
    names = list(subjects)
    parts = (Q(subject__startswith=f"{each}:") for each in names)
    rows = ServiceCredit.objects.filter(reduce(or_, parts, Q(subject__in=names))).order_by("pk")
    return [
        {
            "amount_minor": row.amount_minor,
            "currency": row.asset,
            "why": credit_words(row.kind, "reservation" if row.subject.startswith(("rsv_", "rch_")) else "job"),
        }
        for row in rows
    ]


FREE = gettext_noop("Cancelling is free until the first hour begins, and hours left unused cost nothing.")


def cancelling_terms(*, free_cancel_s: int, idle_bp: int) -> str:
    """What cancelling hours of an offer, or leaving them unused, will cost."""
    if not idle_bp:
        return _(FREE)
    share = _share(idle_bp)
    if not free_cancel_s:
        words = _("Cancelling is free until the first hour begins; hours left unused cost %(share)s of their price.")
        return words % {"share": share}
    terms = {"time": duration(free_cancel_s), "share": share}
    words = _("Cancelling is free until %(time)s before the first hour; after that, unused hours cost %(share)s.")
    return words % terms


def _share(idle_bp: int) -> str:
    return percent_exact(idle_bp * PPM_OF_BASIS, 2 if idle_bp % 100 else 0)


def cancelling_words(*, free_until: datetime, idle_bp: int, zone: str, now: datetime) -> str:
    """What cancelling a reservation, or leaving it unused, costs."""
    if not idle_bp:
        return _(FREE)
    if free_until <= now:
        words = _("Cancelling is not free any more: hours left unused cost %(share)s of their price.")
        return words % {"share": _share(idle_bp)}
    terms = {"until": f"{moment(free_until, zone)} {offset(free_until, zone)}", "share": _share(idle_bp)}
    return _("Cancelling is free until %(until)s; after that, hours left unused cost %(share)s of their price.") % terms


def given_up_words(*, reason: str, money_: PromisedMoney | None, credits_: Iterable[dict[str, Any]]) -> str:
    """Why a provider did not keep a reservation, and what its buyer has for it."""
    told = _("The provider gave it up: %(why)s.") % {"why": states.reason(reason or "withdrawn")}
    if money_ is None:
        return told
    credit = sum(each["amount_minor"] for each in credits_)
    amounts = {name: money(each, money_.currency) for name, each in (("back", money_.returned), ("credit", credit))}
    if credit:
        return f"{told} {_('%(back)s went back to the wallet, and %(credit)s came as a service credit.') % amounts}"
    return f"{told} {_('%(back)s went back to the wallet.') % amounts}"


def cancelled_words(*, charged: int, returned: int, currency: str) -> str:
    """What a cancellation came to."""
    amounts = {"charged": money(charged, currency), "returned": money(returned, currency)}
    if charged:
        return _("Cancelled: %(charged)s was charged for it, and %(returned)s went back to the wallet.") % amounts
    if returned:
        return _("Cancelled: nothing was charged, and %(returned)s went back to the wallet.") % amounts
    return _("Cancelled: nothing was charged.")
