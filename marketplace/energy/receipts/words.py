"""Words and figures of receipts, the same on pages and on paper, in the language that is active."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from marketplace.common.printed import carbon_mass, grouped, percent_down

UG_PER_G = 1_000_000
MILLI = 1_000


def mass(ug: int) -> str:
    """µg as people read them, rounded up: `< 1 g`, `220 g`, `2.2 kg`; `0 g` only where it is nothing."""
    return carbon_mass(Decimal(ug) / UG_PER_G)


def kilowatt_hours(wh: int) -> str:
    """Wh as exact kWh: `0.720`."""
    return grouped(Decimal(wh) / MILLI, 3)


def share(ppm: int, *, exact: bool = True) -> str:
    """A share as whole per cent, down; what is there and under one says so. Not `exact`: 0 may be under a millionth."""
    return "< 1%" if not ppm // 10_000 and (ppm or not exact) else percent_down(ppm)


def publisher_name(source: str) -> str:
    """Who published a figure of the grid, by the word that receipts have for it."""
    names = {
        "electricity_maps": "Electricity Maps",
        "entsoe": "ENTSO-E",
        "uk_carbon": "NESO Carbon Intensity",
        "watttime": "WattTime",
        "sample": pgettext("publisher", "Sample generator"),
        "forecast": pgettext("publisher", "Forecast"),
    }
    return names.get(source, source)


def scheme_name(scheme: str, resolution: str) -> str:
    """What a range of Wh is: a record of a meter on site is no certificate."""
    if scheme == "METER":
        return _("On-site meter record")
    return _("%(scheme)s certificate, %(resolution)s") % {"scheme": scheme, "resolution": resolution_name(resolution)}


def resolution_name(resolution: str) -> str:
    """How exactly a certificate says when its energy was produced."""
    names = {
        "hour": pgettext("resolution", "hourly"),
        "day": pgettext("resolution", "daily"),
        "month": pgettext("resolution", "monthly"),
        "year": pgettext("resolution", "yearly"),
    }
    return names.get(resolution, resolution)


def technology_name(technology: str) -> str:
    """What makes the energy."""
    names = {
        "solar": pgettext("technology", "Solar"),
        "wind": pgettext("technology", "Wind"),
        "hydro": pgettext("technology", "Hydro"),
        "geothermal": pgettext("technology", "Geothermal"),
        "biomass": pgettext("technology", "Biomass"),
        "marine": pgettext("technology", "Marine"),
        "storage": pgettext("technology", "Storage"),
    }
    return names.get(technology, technology)


def source_name(kind: str, technology: str) -> str:
    """`Solar, on site`, `Wind contract`, `Storage, from what was put in`, `Hydro, bought certificates`."""
    words = {
        "onsite": _("%(technology)s, on site"),
        "ppa_physical": _("%(technology)s contract"),
        "ppa_virtual": _("%(technology)s contract, virtual"),
        "storage": _("%(technology)s from storage"),
        "tariff": _("%(technology)s tariff"),
    }
    return words.get(kind, _("%(technology)s, bought certificates")) % {"technology": technology_name(technology)}


def status_name(status: str) -> str:
    """Whether anything may still change by itself."""
    return {"provisional": pgettext("receipt", "Provisional"), "final": pgettext("receipt", "Final")}.get(
        status, status
    )


def evidence_name(evidence: str) -> str:
    """What a claim about a source rests on."""
    names = {
        "declared": pgettext("evidence", "declared"),
        "documents": pgettext("evidence", "documents"),
        "metered": pgettext("evidence", "metered"),
        "audited": pgettext("evidence", "audited"),
    }
    return names.get(evidence, evidence)


def quality_words(payload: Mapping[str, Any]) -> str:
    """How the energy is known: what was metered, and that the rest was modelled."""
    measured = payload["measured_ppm"]
    if not payload["totals"]["site_wh"]:
        return _("No electricity was used")
    if measured == 1_000_000:
        return _("Metered")
    if not measured:
        return _("Modelled")
    return _("%(share)s metered, the rest modelled") % {"share": share(measured)}


def flag_name(flag: str) -> str:
    """What an hour's figures of the grid are, where they are not the published ones."""
    return {"estimated": _("estimated"), "forecast": _("forecast"), "annual_factor": _("yearly average")}.get(
        flag, flag
    )


def subject_name(kind: str) -> str:
    """What was receipted."""
    return _("Reservation") if kind == "reservation" else _("Job")


def scopes_words() -> str:
    """The sentence about scopes, which the payload has in English."""
    return _(
        "Usually the provider's Scope 2 and the buyer's Scope 3 category 1; the buyer's Scope 2 only under operational "
        "control of the machines."
    )
