"""What the operators' page of a match round shows, in words and figures of the reader's language."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor
from scheduler.core.types import CORE_VERSION
from scheduler.models import MatchRound

SCARCEST = 8  # hours that the page names
WIDE = 1000  # of the drawing of its time
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the round's time, and its place in the drawing."""

    name: str
    swatch: str
    ms: int
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class ScarceHour:
    """An hour of an offer with what one more unit of it was worth, in the offer's money per unit-hour."""

    offer: str
    title: str
    start: datetime
    amount: str


def round_page(round_: MatchRound) -> dict[str, Any]:
    """Everything on the page beside the row itself."""
    return {
        "phases": phases(round_),
        "ms_total": round_.ms_read + round_.ms_core + round_.ms_write,
        "ratio": None if round_.ratio_bp is None else f"{round_.ratio_bp / 100:.2f} %",
        "waiting": waiting(round_.unplaced_reasons),
        "scarce": scarcest(round_),
        "replayable": round_.core_version == CORE_VERSION and round_.snapshot is not None,
        "core_now": CORE_VERSION,
    }


def phases(round_: MatchRound) -> list[Phase]:
    """Read, core and write from left to right; together they are as wide as the drawing."""
    parts = (
        (_("Read"), "read", round_.ms_read),
        (_("Core"), "core", round_.ms_core),
        (_("Write"), "write", round_.ms_write),
    )
    total, drawn, done = sum(ms for _name, _swatch, ms in parts), [], 0
    for name, swatch, ms in parts:
        x = WIDE * done // total if total else 0
        done += ms
        drawn.append(Phase(name, swatch, ms, x, (WIDE * done // total if total else 0) - x))
    return drawn


def waiting(reasons: Mapping[str, int]) -> list[dict[str, Any]]:
    """Why jobs were left waiting, the commonest first."""
    words = {
        "outbid": _("outbid: it fits alone, others were worth more"),
        "no_capacity": _("no capacity: too few units are free"),
        "no_offer_fits": _("no offer fits now"),
        "never_fits": _("no offer could ever take it"),
        "gang_incomplete": _("its gang is incomplete"),
        "conflict": _("conflict"),
    }
    most = max(reasons.values(), default=1)
    return [
        {"code": code, "words": words.get(code, code), "jobs": jobs, "width": WIDE * jobs // most}
        for code, jobs in sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    ]


def scarcest(round_: MatchRound) -> list[ScarceHour]:
    """The hours whose next unit was worth most, from the plan that the round stored."""
    prices: Mapping[str, list[int]] = json.loads(zlib.decompress(round_.result)).get("prices", {})
    hours = [(-price, hour, offer) for offer, row in prices.items() for hour, price in enumerate(row) if price]
    worst, first = sorted(hours)[:SCARCEST], hour_floor(round_.now)
    offers = {
        offer.public_id: offer for offer in Offer.objects.filter(public_id__in={offer for *_rest, offer in worst})
    }
    return [
        ScarceHour(offer, offers[offer].title, first + hour * HOUR, money(-price, offers[offer].currency))
        for price, hour, offer in worst
    ]


def money(mm: int, currency: str) -> str:
    """An hourly rate with its currency's code, to a thousandth of a minor unit."""
    return f"{mm / 100_000:,.5f} {currency}"
