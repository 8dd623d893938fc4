"""The parts of a receipt as its page shows them: shares, totals, hours with a chart by source, certificates."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from frontend.components.formats import grams_up, grouped
from frontend.components.stacks import Series, stacks
from frontend.components.svg import Chart
from marketplace.common.clock import read_rfc3339
from marketplace.energy.receipts.label import kind_of, part_ppm, source_order
from marketplace.energy.receipts.words import (
    evidence_name,
    flag_name,
    mass,
    scheme_name,
    share,
    source_name,
    technology_name,
)

Payload = Mapping[str, Any]
WH_PER_KWH = 1_000
SMALL_WH = 4_000  # an hour of less is drawn in Wh
CHART_HEIGHT = 220


def share_rows(payload: Payload) -> list[dict[str, str]]:
    """The three shares, which are never added, and what each of them says."""
    shares, totals = payload["shares"], payload["totals"]
    none = not totals["onsite_wh"] + totals["certificate_wh"]
    return [
        {
            "name": _("Matched by the hour"), "value": share(shares["matched_ppm"], exact=none),
            "words": _("The claim: on-site meter records and cancelled certificates of the very hour."),
        },
        {
            "name": _("Blended"), "value": share(shares["blended_ppm"]),
            "words": _("Matched energy, and for the rest what the grid had: for comparing offers, no claim."),
        },
        {
            "name": _("Grid"), "value": share(shares["grid_ppm"]),
            "words": _("What the grid at this place had anyway: it describes the place, nobody's claim."),
        },
    ]  # fmt: skip


def total_rows(payload: Payload) -> list[dict[str, str]]:
    """Carbon in three ways, side by side, and the lines beside them."""
    totals = payload["totals"]
    if totals["residual"]:
        market = _("Matched energy counts 0 g, the rest the residual mix.")
    else:
        market = _("Matched energy counts 0 g, the rest the grid's average: no residual mix is known for all hours.")
    location = _("All electricity at the grid's direct average.")
    life = _("All electricity with making and fuel of the plants.")
    rows = [
        {"name": _("Location-based"), "value": mass(totals["location_ug"]), "words": location},
        {"name": _("Market-based"), "value": mass(totals["market_ug"]), "words": market},
        {"name": _("Life-cycle"), "value": mass(totals["lifecycle_ug"]), "words": life},
    ]
    if totals["volume_wh"]:
        words = _("Certificates that are matched by volume only, not by the hour, are counted in.")
        name = _("Market-based with volume-matched")
        rows.append({"name": name, "value": mass(totals["market_with_volume_ug"]), "words": words})
    if payload.get("sci"):
        words = _("ISO/IEC 21031, per accelerator-hour: location-based, with making the hardware.")
        rows.append(
            {
                "name": _("Software carbon intensity"),
                "value": mass(payload["sci"]["ug_per_unit_hour"]),
                "words": words,
            }
        )
    return rows


def chart_of(hours: Sequence[Payload], certificates: Sequence[Payload]) -> Chart | None:
    """Electricity by source in each of `hours`, the grid on top; None without any."""
    if not hours:
        return None
    starts = list(dict.fromkeys(hour["start"] for hour in hours))
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in certificates:
        if each["resolution"] == "hour" and each["hour"] in starts:
            found[kind_of(each), each["technology"]][each["hour"]] += each["to_wh"] - each["from_wh"]
    rest: dict[str, int] = defaultdict(int)
    for hour in hours:
        rest[hour["start"]] += hour["unmatched_wh"]
    layers = [(source_name(*key), key[1], found[key]) for key in source_order(found)] + [(_("Grid"), "grid", rest)]
    small = max(sum(wh.get(start, 0) for *_names, wh in layers) for start in starts) < SMALL_WH
    series = [_series(*layer, starts, 1 if small else WH_PER_KWH) for layer in layers]
    caption = _("Electricity by source, hour by hour, in %(unit)s") % {"unit": "Wh" if small else "kWh"}
    return stacks(
        [read_rfc3339(start) for start in starts], series, caption=caption,
        hour_header=_("Hour (UTC)"), height=CHART_HEIGHT,
    )  # fmt: skip


def _series(name: str, swatch: str, wh: Mapping[str, int], starts: Sequence[str], unit_wh: int) -> Series:
    return Series(name, swatch, tuple(wh.get(start, 0) / unit_wh for start in starts))


def hour_rows(hours: Sequence[Payload], *, many: bool) -> list[dict[str, Any]]:
    """The hours with their figures as texts; `many` names the place of each."""
    return [_hour(hour, many) for hour in hours]


def _hour(hour: Payload, many: bool) -> dict[str, Any]:
    matched, residual = hour["onsite_wh"] + hour["certificate_wh"], hour["residual_mg_per_kwh"]
    notes = [_("Site %(number)d") % {"number": hour["place"] + 1}] if many else []
    notes += [*map(flag_name, hour["flags"]), *([] if hour["settled"] else [_("open")])]
    return {
        "start": datetime.fromisoformat(hour["start"]),
        "notes": ", ".join(notes),
        "site": grouped(hour["site_wh"]),
        "onsite": grouped(hour["onsite_wh"]),
        "certificate": grouped(hour["certificate_wh"]),
        "unmatched": grouped(hour["unmatched_wh"]),
        "matched": share(part_ppm(matched, hour["site_wh"]), exact=not matched),
        "grid": share(hour["renewable_ppm"]),
        "direct": grouped(grams_up(hour["direct_mg_per_kwh"])),
        "lifecycle": grouped(grams_up(hour["lifecycle_mg_per_kwh"])),
        "residual": "–" if residual is None else grouped(grams_up(residual)),
    }


def certificate_rows(certificates: Sequence[Payload]) -> list[dict[str, Any]]:
    """Ranges of Wh with what they are, who produced them and whether they are cancelled."""
    return [
        {
            "hour": datetime.fromisoformat(each["hour"]),
            "wh": grouped(each["to_wh"] - each["from_wh"]),
            "what": scheme_name(each["scheme"], each["resolution"]),
            "registry": f"{each['registry']} · {each['issuance']}",
            "range": f"{grouped(each['from_wh'])} – {grouped(each['to_wh'])} Wh",
            "serial": each["serial"] or each["lot"],
            "device": f"{technology_name(each['technology'])} · {each['device']}",
            "since": each["commissioned_on"],
            "evidence": evidence_name(each["evidence"]),
            "cancelled_at": datetime.fromisoformat(each["cancelled_at"]) if each["cancelled_at"] else None,
            "beneficiary": each["beneficiary"],
            "statement": each["statement"],
        }
        for each in certificates
    ]
