"""The energy facts of a receipt: the label that offers and receipts have alike, computed from a payload alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from marketplace.common.printed import grouped, intensity
from marketplace.common.units import PPM, ceil_div, largest_remainder
from marketplace.energy.models import Release, SourceKind
from marketplace.energy.receipts.words import mass, quality_words, share, source_name
from marketplace.energy.settling import BOUGHT, ORDER_OF_USE
from marketplace.energy.use import SECONDS_PER_HOUR

Payload = Mapping[str, Any]
PER_CENT = 100


@dataclass(frozen=True, slots=True)
class Part:
    """One source of the electricity: its colour class, its words and its part of the whole."""

    swatch: str
    name: str
    share: str
    wh: int


@dataclass(frozen=True, slots=True)
class Label:
    """What the label says, as texts; `per_hour` is false where no unit worked and all figures are of the whole."""

    per_hour: bool
    unit_hours: str
    carbon: str
    electricity_wh: int
    matched: str
    parts: tuple[Part, ...]
    volume: str
    pue: str
    water: str
    method: str
    embodied: str


def label_of(payload: Payload) -> Label:
    """The label of a whole receipt or an excerpt."""
    totals = payload["totals"]
    seconds = totals["unit_seconds"]
    return Label(
        per_hour=bool(seconds),
        unit_hours=grouped(ceil_div(seconds * 10, SECONDS_PER_HOUR) / 10, 1),
        carbon=mass(_per_hour(totals["location_ug"], seconds)),
        electricity_wh=_per_hour(totals["site_wh"], seconds),
        matched=share(payload["shares"]["matched_ppm"], exact=not totals["onsite_wh"] + totals["certificate_wh"]),
        parts=parts_of(payload),
        volume=share(payload["shares"]["volume_ppm"]) if totals["volume_wh"] else "",
        pue=_pue(totals),
        water=_water(payload, seconds),
        method=quality_words(payload),
        embodied=_embodied(payload, seconds),
    )


def _per_hour(amount: int, seconds: int) -> int:
    """An amount of the whole per unit-hour, rounded up; of the whole where no unit worked."""
    return ceil_div(amount * SECONDS_PER_HOUR, seconds) if seconds else amount


def parts_of(payload: Payload) -> tuple[Part, ...]:
    """Matched sources in the order they were settled in, then the grid; their shares add up to the whole."""
    whole = payload["totals"]["site_wh"]
    if not whole:
        return ()
    found = matched_by_source(payload["certificates"])
    keys = source_order(found)
    matched = sum(found.values())
    shares = largest_remainder(matched * PER_CENT // whole, [found[key] for key in keys]) if keys else []
    parts = [
        Part(key[1], source_name(*key), _percent(percent, found[key]), found[key])
        for key, percent in zip(keys, shares, strict=True)
    ]
    rest = whole - matched
    if rest:
        name = _("Grid, %(intensity)s") % {"intensity": intensity(_grid_mg(payload["hours"], rest))}
        grid = PER_CENT - matched * PER_CENT // whole
        parts.append(Part("grid", name, f"{grid}%" if grid < PER_CENT or not matched else "> 99%", rest))
    return tuple(parts)


def _percent(percent: int, wh: int) -> str:
    return f"{percent}%" if percent or not wh else "< 1%"


def matched_by_source(certificates: Sequence[Payload]) -> dict[tuple[str, str], int]:
    """Wh by (kind, technology) of what is matched by the hour; coarser certificates are not among them."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for each in certificates:
        if each["resolution"] == "hour":
            found[kind_of(each), each["technology"]] += each["to_wh"] - each["from_wh"]
    return dict(found)


def kind_of(certificate: Payload) -> str:
    """The kind of source a range came by: what was discharged is storage, whatever plant had charged it."""
    return str(SourceKind.STORAGE if certificate["release"] == Release.STORAGE else certificate["kind"])


def source_order(sources: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(kind, technology) in the order in which hours are settled."""
    return sorted(sources, key=lambda source: (ORDER_OF_USE.get(source[0], BOUGHT), source))


def _grid_mg(hours: Sequence[Payload], rest: int) -> int:
    """The grid's average direct intensity over what was not matched, rounded up."""
    return ceil_div(sum(hour["unmatched_wh"] * hour["direct_mg_per_kwh"] for hour in hours), rest)


def _pue(totals: Payload) -> str:
    """Two decimals, rounded up; empty where no machine used anything."""
    if not totals["it_wh"]:
        return ""
    hundredths = ceil_div(totals["site_wh"] * PER_CENT, totals["it_wh"])
    return f"{hundredths // PER_CENT}.{hundredths % PER_CENT:02d}"


def _water(payload: Payload, seconds: int) -> str:
    """Litres per unit-hour, rounded up, where every site says what a kWh needs; else that it is not metered."""
    needs = [place.get("water_ml_per_kwh") for place in payload["places"]]
    if not needs or None in needs:
        return _("not metered")
    micro = sum(hour["site_wh"] * needs[hour["place"]] for hour in payload["hours"])
    hundredths = ceil_div(_per_hour(micro, seconds), 10_000)
    return f"{hundredths // PER_CENT}.{hundredths % PER_CENT:02d} L"


def _embodied(payload: Payload, seconds: int) -> str:
    """Carbon of making the machines per unit-hour; empty where it is not known."""
    sci = payload.get("sci")
    return mass(_per_hour(sci["embodied_ug"], seconds)) if sci else ""


def part_ppm(part: int, whole: int) -> int:
    """A part in millionths of the whole, rounded down; 0 of nothing."""
    return part * PPM // whole if whole else 0
