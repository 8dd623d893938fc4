"""Standing orders in words: how one stands, what it asks for, what was decided for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from frontend.components.formats import money, percent_down, whole_hours, window
from frontend.store.shelfwords import named
from marketplace.booking.models import StandingOrder
from marketplace.booking.models.standing import CAPACITY, GREENNESS, MONEY, PRICE, SHELF

PPM = 1_000_000


def short_words(reason: str) -> str:
    """Why an hour ahead is not reserved, as a clause; empty for none."""
    words = {
        PRICE: _("whatever else fits costs more than you allow"),
        GREENNESS: _("whatever else fits is not renewable enough"),
        CAPACITY: _("nobody within your terms has so many units free"),
        MONEY: _("the wallet or a budget lacks the money; it is tried again every few minutes"),
        SHELF: _("no offer on the shelf is like this"),
    }
    return words.get(reason, "")


def name_of(order: StandingOrder) -> str:
    """`2 units of H100`."""
    hardware = _(" or ").join(order.where["accelerator"])
    words = ngettext("%(count)d unit of %(hardware)s", "%(count)d units of %(hardware)s", order.units)
    return words % {"count": order.units, "hardware": hardware}


def terms_of(order: StandingOrder) -> list[dict[str, str]]:
    """What it asks for, as name and value."""
    where, currency = order.where, order.budget.asset
    share = where.get("renewable_share__gte")
    items = [
        (_("Hardware"), _(" or ").join(where["accelerator"])),
        (_("Units"), str(order.units)),
        (_("At most"), _("%(price)s a unit-hour, all-in") % {"price": money(where["price__lte"], currency)}),
        (_("Renewable at least"), percent_down(round(share * PPM)) if share else _("any share")),
        (_("Region"), _(" or ").join(named("region", each) for each in where.get("region", ())) or _("anywhere")),
        (_("Reserved ahead"), whole_hours(order.ahead_hours)),
        (_("Bought at once"), whole_hours(order.block_hours)),
    ]
    return [{"name": name, "value": value} for name, value in items]


def decision_words(decision: Mapping[str, Any], zone: str) -> str:
    """One decision as a sentence."""
    kind, facts = decision["decision"], decision["facts"]
    if kind == "short":
        count = ngettext("%(count)d hour is not reserved", "%(count)d hours are not reserved", facts["hours"])
        told = {"hours": count % {"count": facts["hours"]}, "why": short_words(decision["reason"])}
        return _("%(hours)s: %(why)s.") % told
    if kind == "lost":
        words = ngettext(
            "%(count)d hour was lost, since its reservation was not kept; it is looked for again.",
            "%(count)d hours were lost, since their reservation was not kept; they are looked for again.",
            facts["hours"],
        )
        return words % {"count": facts["hours"]}
    return _bought(facts, zone) if kind == "bought" else _moves().get(kind, decision["sentence"])


def _bought(facts: Mapping[str, Any], zone: str) -> str:
    start, end = (datetime.fromisoformat(facts[edge]) for edge in ("start", "end"))
    told = {
        "offer": facts["title"], "window": window(start, end, zone),
        "total": money(facts["total_minor"], facts["currency"]),
    }  # fmt: skip
    if facts["longer"]:
        return _("The reservation of %(offer)s goes on %(window)s, for %(total)s.") % told
    return _("%(offer)s is reserved %(window)s, for %(total)s.") % told


def _moves() -> dict[str, str]:
    return {
        "active": _("Hours are bought from now on."),
        "paused": _("Paused: nothing is bought, what is reserved stays."),
        "cancelled": _("Cancelled: nothing more is bought, what is reserved stays."),
        "ended": _("Ended as agreed: no whole hour is left."),
        "kept": _("All hours ahead are reserved."),
    }


def tones() -> dict[str, str]:
    """Words of how an order stands."""
    return {
        "kept": pgettext("standing order", "Kept"),
        "partly_kept": pgettext("standing order", "Partly kept"),
        "not_kept": pgettext("standing order", "Not kept"),
        "": pgettext("standing order", "Not looked at yet"),
    }
