"""The price signal on a provider's offer page: hours that are alike in one row, those with something to say first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from frontend.components.formats import window
from frontend.console.offerforms import from_mm
from frontend.store.billwords import fine_rate
from marketplace.catalog.models import Offer
from marketplace.common.clock import HOUR
from scheduler.pricesignal import HourSignal, price_signal, sentence_of

SUGGESTED = ("scarce", "unsold")


@dataclass(frozen=True, slots=True)
class SignalRow:
    """Hours in a row for which the same is asked, worth and suggested."""

    when: str
    free: str
    asked: str
    shadow: str
    suggested: str
    rises: bool
    word: str
    why: str
    href: str


def signal_of(offer: Offer, now: datetime, zone: str) -> dict[str, Any]:
    """What the page shows: rows with a suggestion, how many hours have none and why, or when a signal will come."""
    signal = price_signal(offer=offer, now=now)
    told = [hour for hour in signal.hours if hour.code in SUGGESTED]
    quiet = [hour.code for hour in signal.hours if hour.code not in SUGGESTED]
    return {
        "as_of": signal.as_of,
        "rows": [_row(offer, hours, zone) for hours in _alike(told)],
        "quiet": [
            {"hours": quiet.count(code), "why": sentence_of(code)} for code in ("sold", "enough") if code in quiet
        ],
        "has_hours": bool(signal.hours),
        "live": offer.state == "live",
    }


def _alike(hours: Sequence[HourSignal]) -> list[list[HourSignal]]:
    """Hours one after another with the same figures."""

    def figures(place: tuple[int, HourSignal]) -> tuple[Any, ...]:
        number, hour = place
        return hour.start - number * HOUR, hour.code, hour.rate_mm, hour.shadow_mm, hour.suggested_rate_mm

    return [[hour for _, hour in rows] for _, rows in groupby(enumerate(hours), key=figures)]


def _row(offer: Offer, hours: Sequence[HourSignal], zone: str) -> SignalRow:
    head, end, rate = hours[0], hours[-1].start + HOUR, hours[0].suggested_rate_mm or 0
    free = sorted({hour.free for hour in hours})
    asked = {"start": f"{head.start:%Y-%m-%dT%H:00Z}", "end": f"{end:%Y-%m-%dT%H:00Z}"}
    return SignalRow(
        when=window(head.start, end, zone),
        free=f"{free[0]}" if len(free) == 1 else f"{free[0]}–{free[-1]}",
        asked=fine_rate(head.rate_mm, offer.currency),
        shadow=fine_rate(head.shadow_mm, offer.currency),
        suggested=fine_rate(rate, offer.currency),
        rises=rate > head.rate_mm,
        word=_("scarce") if head.code == "scarce" else _("unsold"),
        why=sentence_of(head.code),
        href=f"?{urlencode(asked | {'price': from_mm(rate, offer.currency)})}#reprice",
    )
