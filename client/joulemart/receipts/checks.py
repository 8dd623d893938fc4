"""What a version must keep by itself: figures, energy and charge, recomputed from its own lines."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from .charges import charge_faults

PPM = 1_000_000
UG_PER_KG = 10**9
HOUR = timedelta(hours=1)
MEASURED = {"metered_site", "metered_node", "metered_device"}
Payload = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at in the version of that place: what, and what is wrong with it (empty: nothing)."""

    number: int
    kind: str
    fault: str = ""

    @property
    def name(self) -> str:
        """`version 2: signature`."""
        return f"version {self.number}: {self.kind}"

    @property
    def ok(self) -> bool:
        return not self.fault


def hour_faults(payload: Payload) -> Iterator[str]:
    """Each hour's parts are its whole, no hour comes twice at a place, and none is outside the period."""
    seen = set()
    for hour in payload["hours"]:
        parts = hour["onsite_wh"] + hour["certificate_wh"] + hour["unmatched_wh"]
        if parts != hour["site_wh"] or min(hour["unmatched_wh"] - hour["volume_wh"], hour["volume_wh"]) < 0:
            yield f"{hour['start']}: the parts are {parts} Wh, the whole is {hour['site_wh']} Wh"
        if not 0 <= hour["it_wh"] <= hour["site_wh"]:
            yield f"{hour['start']}: the machines used more than the site"
        if (hour["start"], hour["place"]) in seen:
            yield f"{hour['start']} stands there twice"
        seen.add((hour["start"], hour["place"]))
        if not _moment(payload["period"]["start"]) - HOUR < _moment(hour["start"]) < _moment(payload["period"]["end"]):
            yield f"{hour['start']} is outside the period"
        if not 0 <= hour["renewable_ppm"] <= hour["carbon_free_ppm"] <= PPM:
            yield f"{hour['start']}: the grid's shares are out of order"


def total_faults(payload: Payload) -> Iterator[str]:
    """Totals are the sums of the hours; carbon is Wh × mg/kWh, exactly."""
    hours, totals = payload["hours"], payload["totals"]
    for name, expected in expected_totals(hours).items():
        if totals.get(name) != expected:
            yield f"{name} is {totals.get(name)}, the hours come to {expected}"
    for name, expected in expected_shares(hours).items():
        if payload["shares"].get(name) != expected:
            yield f"{name} is {payload['shares'].get(name)}, the hours come to {expected}"
    whole = totals.get("site_wh") or 0
    measured = expected_totals(hours)["measured_wh"] * PPM // whole if whole else 0
    if payload["measured_ppm"] != measured:
        yield f"measured_ppm is {payload['measured_ppm']}, the hours come to {measured}"


def expected_totals(hours: Sequence[Payload]) -> dict[str, Any]:
    """What the totals must be."""
    summed = ("it_wh", "site_wh", "onsite_wh", "certificate_wh", "volume_wh", "unmatched_wh", "unit_seconds")
    totals: dict[str, Any] = {name: sum(hour[name] for hour in hours) for name in summed}
    rest = [(hour, hour["residual_mg_per_kwh"]) for hour in hours]
    factors = [hour["direct_mg_per_kwh"] if residual is None else residual for hour, residual in rest]
    return totals | {
        "location_ug": sum(hour["site_wh"] * hour["direct_mg_per_kwh"] for hour in hours),
        "lifecycle_ug": sum(hour["site_wh"] * hour["lifecycle_mg_per_kwh"] for hour in hours),
        "market_ug": sum(hour["unmatched_wh"] * factor for hour, factor in zip(hours, factors, strict=True)),
        "market_with_volume_ug": sum(
            (hour["unmatched_wh"] - hour["volume_wh"]) * factor for hour, factor in zip(hours, factors, strict=True)
        ),
        "residual": all(residual is not None for _, residual in rest),
        "measured_wh": sum(hour["site_wh"] for hour in hours if hour["method"] in MEASURED),
    }


def expected_shares(hours: Sequence[Payload]) -> dict[str, int]:
    """What the shares must be, each rounded down to a millionth."""
    whole = sum(hour["site_wh"] for hour in hours)
    matched = sum(hour["onsite_wh"] + hour["certificate_wh"] for hour in hours) * PPM
    sums = {
        "matched_ppm": matched,
        "blended_ppm": matched + sum(hour["unmatched_wh"] * _rest_share(hour) for hour in hours),
        "grid_ppm": sum(hour["site_wh"] * hour["renewable_ppm"] for hour in hours),
        "carbon_free_ppm": sum(hour["site_wh"] * hour["carbon_free_ppm"] for hour in hours),
        "volume_ppm": sum(hour["volume_wh"] for hour in hours) * PPM,
    }
    return {name: value // whole if whole else 0 for name, value in sums.items()}


def _rest_share(hour: Payload) -> int:
    """The renewable share of what is not matched: of the residual mix where it is told, else of the grid."""
    residual = hour.get("residual_renewable_ppm")
    return int(hour["renewable_ppm"] if residual is None else residual)


def certificate_faults(payload: Payload) -> Iterator[str]:
    """Ranges are the matched Wh of their hour, lie in its time, and no Wh occurs twice."""
    found: dict[tuple[str, int, str], int] = defaultdict(int)
    ranges: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for each in payload["certificates"]:
        if each["to_wh"] <= each["from_wh"]:
            yield f"{each['lot']}: the range is empty"
        if each["resolution"] != "hour":
            part = "volume_wh"
        else:
            part = "onsite_wh" if each["scheme"] == "METER" else "certificate_wh"
        found[each["hour"], each["place"], part] += each["to_wh"] - each["from_wh"]
        ranges[each["registry"], each["issuance"]].append((each["from_wh"], each["to_wh"]))
        if not _in_time(each):
            yield f"{each['hour']}: {each['lot']} was produced {each['start']} to {each['end']}"
    yield from _unlike(payload, found)
    for (_, issuance), mine in ranges.items():
        mine.sort()
        if any(before[1] > after[0] for before, after in pairwise(mine)):
            yield f"some Wh of {issuance} occur twice"


def _unlike(payload: Payload, found: Mapping[tuple[str, int, str], int]) -> Iterator[str]:
    left = dict(found)
    for hour in payload["hours"]:
        for part in ("onsite_wh", "certificate_wh", "volume_wh"):
            listed = left.pop((hour["start"], hour["place"], part), 0)
            if listed != hour[part]:
                yield f"{hour['start']}: {part} is {hour[part]}, the ranges listed come to {listed}"
    yield from (f"{start}: {wh} Wh are listed for an hour that is not there" for (start, _, _), wh in left.items())


def _in_time(each: Mapping[str, Any]) -> bool:
    hour, start, end = (_moment(each[name]) for name in ("hour", "start", "end"))
    inside = hour <= start and end <= hour + HOUR if each["resolution"] == "hour" else start <= hour < end
    return inside and start < end


def status_faults(payload: Payload) -> Iterator[str]:
    """A final receipt rests on settled hours and cancelled energy alone."""
    if payload["settled"] != all(hour["settled"] for hour in payload["hours"]):
        yield "it says settled, and an hour is not"
    if payload["status"] == "final":
        if not payload["settled"]:
            yield "it is final, and not settled"
        kept = [each for each in payload["certificates"] if not each["cancelled_at"]]
        yield from (f"{each['hour']}: {each['lot']} is not cancelled" for each in kept)


def sci_faults(payload: Payload) -> Iterator[str]:
    """The software carbon intensity is (location + embodied) per accelerator-hour, rounded up."""
    equipment, sci = payload["equipment"], payload["sci"]
    seconds = sum(each["unit_seconds"] for each in equipment)
    if not seconds or any(each["embodied_kg"] is None for each in equipment):
        if sci is not None:
            yield "it has a software carbon intensity without known embodied carbon"
        return
    embodied = sum(
        _up(each["embodied_kg"] * UG_PER_KG * each["unit_seconds"], 3600 * each["lifetime_h"] * each["units_per_node"])
        for each in equipment
    )
    location = payload["totals"]["location_ug"]
    expected = (embodied, _up((location + embodied) * 3600, seconds))
    if sci is None or (sci["embodied_ug"], sci["ug_per_unit_hour"]) != expected:
        yield f"embodied carbon and intensity come to {expected[0]} and {expected[1]} µg"


def _up(amount: int, divisor: int) -> int:
    return -(-amount // divisor)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


CHECKS: Mapping[str, Callable[[Payload], Iterator[str]]] = {
    "hours": hour_faults,
    "totals and shares": total_faults,
    "certificates": certificate_faults,
    "status": status_faults,
    "software carbon intensity": sci_faults,
    "charge": charge_faults,
}
