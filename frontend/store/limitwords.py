"""The matcher's codes in words: why an offer was refused, and what a looser limit would be."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from frontend.components.formats import day_moment, money


def refusal(codes: Sequence[str]) -> str:
    """`It is too far away; it costs more than the ceiling.`"""
    clauses = _clauses()
    return "; ".join(clauses.get(code, code) for code in codes)


def _clauses() -> dict[str, str]:
    return {
        "hardware": _("other hardware"),
        "family": _("other hardware"),
        "memory_gb": _("less memory"),
        "interconnect": _("another interconnect"),
        "tier": _("another tier"),
        "term": _("sold on other terms"),
        "currency": _("priced in another currency"),
        "residency": _("in another country"),
        "region": _("in another region, or left out after a failure"),
        "offer": _("not the offer asked for"),
        "provider": _("of another provider"),
        "kind": _("another kind of site"),
        "latency": _("too far away, or nobody knows how far"),
        "price": _("too dear"),
        "total": _("costs more than the ceiling"),
        "renewable": _("not renewable enough"),
        "matched": _("too little renewable energy matched by the hour"),
        "carbon_free": _("not carbon-free enough"),
        "carbon_free_share": _("not carbon-free enough"),
        "carbon": _("too much carbon per kWh"),
        "carbon_cap": _("too much carbon in all"),
        "notice_s": _("shorter notice"),
        "boot_s": _("starts too slowly"),
        "reliability": _("not reliable enough, or unproven"),
        "energy_source": _("served by other sources of energy"),
        "temporal_resolution": _("energy of which the time is known less finely"),
        "evidence": _("weaker evidence of its energy"),
        "free": _("fewer free units"),
        "network": _("allows no network"),
        "egress": _("allows no network"),
        "served": _("no agent is at work there"),
        "window": _("cannot run it inside the window"),
        "capacity": _("too few free units"),
    }


def changes_of(relax: Mapping[str, Any]) -> dict[str, Any]:
    """{limit: new value or None} of one way out, as the service that relaxes takes it."""
    changes = relax.get("changes")
    if isinstance(changes, Mapping):
        return dict(changes)
    if changes:
        return {str(name): value for name, value in changes}
    return {str(relax["limit"]): relax.get("to")}


def relaxing(changes: Mapping[str, Any], currency: str) -> str:
    """What the limits would become: `Latency up to 27 ms`."""
    return ", ".join(_limit(name, value, currency) for name, value in changes.items())


def _limit(name: str, value: Any, currency: str) -> str:
    if name == "units":
        return ngettext("%(count)d unit", "%(count)d units", value) % {"count": value}
    if value is None:
        return _("Without the limit on %(limit)s") % {"limit": _subjects().get(name, name)}
    return _numeric(name, value, currency) or _named(name, value)


def _numeric(name: str, value: Any, currency: str) -> str:
    """A limit that is a number, in its unit; empty for any other."""
    if words := _shares().get(name):
        return words % {"percent": int(round(float(value) * 100, 6))}
    if words := _amounts().get(name):
        return words % {"amount": money(int(value), currency)}
    if words := _numbers().get(name):
        return words % {"number": f"{int(value):,}"}
    return ""


def _named(name: str, value: Any) -> str:
    if name in {"finish_by", "start_after"}:
        words = _("Finished by %(when)s") if name == "finish_by" else _("Started from %(when)s")
        return words % {"when": _when(value)}
    shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return _("%(limit)s: %(values)s") % {"limit": _subjects().get(name, name), "values": shown}


def _when(value: Any) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(int(value), UTC)
    return f"{day_moment(moment)} UTC"


def _shares() -> dict[str, str]:
    return {
        "renewable_share__gte": _("At least %(percent)d%% renewable"),
        "matched_share__gte": _("At least %(percent)d%% renewable, matched by the hour"),
        "carbon_free_share__gte": _("At least %(percent)d%% carbon-free"),
        "reliability__gte": _("At least %(percent)d%% reliable"),
    }


def _amounts() -> dict[str, str]:
    return {
        "price__lte": _("Up to %(amount)s per unit-hour"),
        "price_pflop__lte": _("Up to %(amount)s per PFLOP-hour"),
        "total__lte": _("A total of up to %(amount)s"),
    }


def _numbers() -> dict[str, str]:
    return {
        "latency_ms__lte": _("Latency up to %(number)s ms"),
        "carbon_g_per_kwh__lte": _("Carbon up to %(number)s g/kWh"),
        "carbon_cap_g": _("Carbon up to %(number)s g in all"),
        "memory_gb__gte": _("Memory from %(number)s GB"),
        "notice_s__gte": _("Notice from %(number)s s"),
        "boot_s__lte": _("Start-up within %(number)s s"),
        "free__gte": _("At least %(number)s free units"),
    }


def _subjects() -> dict[str, str]:
    return {
        "accelerator": _("accelerator"),
        "hardware": _("hardware"),
        "tier": _("tier"),
        "term": _("term"),
        "kind": _("kind of site"),
        "region": _("region"),
        "residency": _("country"),
        "site": _("site"),
        "provider": _("provider"),
        "currency": _("currency"),
        "interconnect": _("interconnect"),
        "energy_source": _("source of energy"),
        "temporal_resolution": _("time of production"),
        "evidence": _("evidence"),
        "latency_ms__lte": _("latency"),
        "reliability__gte": _("reliability"),
        "egress": _("network"),
        "served": _("agents at work"),
        "finish_by": _("deadline"),
        "start_after": _("earliest start"),
    }
