"""What a payload is made of: each part's kind is looked at before anything is computed of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MOST = 2**53 - 1
LONGEST = timedelta(days=400)  # of a span of work: a longer one is no receipt of ours
FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOST_WORK = 500_000  # hours of metered spans, as often as their contracts count them: what is recomputed in seconds


@dataclass(frozen=True)
class Each:
    """A list of parts of one shape."""

    shape: Any


@dataclass(frozen=True)
class Maybe:
    """A part that may be null."""

    shape: Any


@dataclass(frozen=True)
class Sometimes:
    """A part that earlier receipts do not have."""

    shape: Any


def whole(value: Any) -> bool:
    """A whole number from 0 to 2^53 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def some(value: Any) -> bool:
    """A whole number from 1 on."""
    return whole(value) and value > 0


def text(value: Any) -> bool:
    """A text."""
    return isinstance(value, str)


def flag(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)


def moment(value: Any) -> bool:
    """A time in UTC, of our times."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return found is not None and found.utcoffset() == timedelta(0) and FIRST <= found < LAST


KINDS: dict[Callable[[Any], bool], str] = {
    whole: "whole number from 0 to 2^53 - 1", some: "whole number from 1 on", text: "text",
    flag: "true or false", moment: "time in UTC",
}  # fmt: skip
NAMED = {"id": text, "name": text}
HOUR = {
    "start": moment, "place": whole, "it_wh": whole, "site_wh": whole, "onsite_wh": whole, "certificate_wh": whole,
    "volume_wh": whole, "unmatched_wh": whole, "unit_seconds": whole, "method": text, "settled": flag,
    "pue_ppm": whole, "pue_method": text, "direct_mg_per_kwh": whole, "lifecycle_mg_per_kwh": whole,
    "residual_mg_per_kwh": Maybe(whole), "residual_renewable_ppm": Sometimes(Maybe(whole)),
    "renewable_ppm": whole, "carbon_free_ppm": whole, "factor": whole,
    "flags": Each(text),
}  # fmt: skip
CERTIFICATE = {
    "hour": moment, "place": whole, "lot": text, "scheme": text, "registry": text, "issuance": text, "from_wh": whole,
    "to_wh": whole, "start": moment, "end": moment, "resolution": text, "release": text, "kind": text, "device": text,
    "technology": text, "commissioned_on": text, "boundary": text, "evidence": text, "serial": text, "sample": flag,
    "cancelled_at": Maybe(moment), "purpose": text, "beneficiary": text, "statement": text,
}  # fmt: skip
EQUIPMENT = {
    "hardware": text, "unit_seconds": whole, "embodied_kg": Maybe(whole), "lifetime_h": some, "units_per_node": some,
}  # fmt: skip
METERED = {
    "attempt": text, "start": moment, "end": moment, "units": whole, "energy_wh": whole, "line_sha256": text
}  # fmt: skip
LINE = {
    "id": text, "attempt": text, "idle": flag, "start": moment, "end": moment, "charge_minor": whole,
    "tax_minor": whole,
}  # fmt: skip
CONTRACT = {
    "id": text, "subject": text, "units": whole, "start": moment, "end": moment, "rate_mm": Each(whole),
    "seconds": Each(whole), "electricity_mm": whole, "untaxed_minor": whole, "tax_bp": whole, "capped": flag,
    "metered": Each(METERED), "lines": Each(LINE),
}  # fmt: skip
WORK = {
    "shared": flag, "rounds": Each(text), "currency": text, "charge_minor": whole, "tax_minor": whole,
    "contracts": Each(CONTRACT),
}  # fmt: skip
SUMS = ("it_wh", "site_wh", "onsite_wh", "certificate_wh", "volume_wh", "unmatched_wh", "unit_seconds", "location_ug",
        "lifecycle_ug", "market_ug", "market_with_volume_ug", "measured_wh")  # fmt: skip
SHARES = ("matched_ppm", "blended_ppm", "grid_ppm", "carbon_free_ppm", "volume_ppm")
SCI = {
    "standard": text, "functional_unit": text, "unit_seconds": whole, "operational_ug": whole, "embodied_ug": whole,
    "ug_per_unit_hour": whole,
}  # fmt: skip
PROMISE = {
    "id": text, "promised_percent": whole, "start": moment, "end": moment, "credit_rate_ppm": whole, "cap_ppm": whole,
}  # fmt: skip
PLACE = {
    "point": text, "provider": NAMED, "site": NAMED, "country": text, "zone": text, "boundary": text,
}  # fmt: skip
PAYLOAD = {
    "id": text, "version": whole, "status": text, "settled": flag, "issued_at": moment, "sample": flag,
    "subject": {"kind": text, "id": text}, "buyer": NAMED, "period": {"start": moment, "end": moment},
    "places": Each(PLACE), "equipment": Each(EQUIPMENT), "hours": Each(HOUR), "certificates": Each(CERTIFICATE),
    "factors": Each({"source": text, "vintage": text, "notice": text}), "totals": {name: whole for name in SUMS},
    "shares": dict.fromkeys(SHARES, whole), "measured_ppm": whole, "temporal_resolution": text,
    "promise": Maybe(PROMISE), "sci": Maybe(SCI), "work": WORK, "prev_sha256": Maybe(text), "verify": text,
}  # fmt: skip


def shape_faults(payload: Mapping[str, Any]) -> Iterator[str]:
    """Each part that is missing or of another kind than it should be, and spans that are no work."""
    faults = list(_faults(payload, PAYLOAD, ""))
    yield from faults
    if not faults:
        for contract in payload["work"]["contracts"]:
            faults += _span_faults(contract)
        yield from faults or _too_much(payload["work"])


def _too_much(work: Mapping[str, Any]) -> Iterator[str]:
    """Work that would take longer to recompute than anybody waits; only made up work is so long."""
    contracts = work["contracts"]
    counted = contracts[:1] * len(contracts) if work["shared"] else contracts
    if sum(_hours(each) + len(each["rate_mm"]) for each in counted) > MOST_WORK:
        yield f"work.contracts has more than {MOST_WORK} hours of metered work"


def _hours(contract: Mapping[str, Any]) -> int:
    spans = [[datetime.fromisoformat(span[name]) for name in ("start", "end")] for span in contract["metered"]]
    return sum((end - start) // timedelta(hours=1) + 2 for start, end in spans)


def _span_faults(contract: Mapping[str, Any]) -> Iterator[str]:
    if not contract["rate_mm"] or len(contract["rate_mm"]) != len(contract["seconds"]) or not contract["units"]:
        yield f"{contract['id']}: rates and seconds are not of the same hours"
    spans = [contract, *contract["metered"], *contract["lines"]]
    for span in spans:
        start, end = (datetime.fromisoformat(span[name]).astimezone(UTC) for name in ("start", "end"))
        if not timedelta(0) <= end - start <= LONGEST:
            yield f"{contract['id']}: {span['start']} to {span['end']} is no span of work"


def _faults(value: Any, shape: Any, where: str) -> Iterator[str]:
    if isinstance(shape, Sometimes):
        yield from _faults(value, shape.shape, where)
    elif isinstance(shape, Maybe):
        if value is not None:
            yield from _faults(value, shape.shape, where)
    elif isinstance(shape, Each):
        yield from _list_faults(value, shape, where)
    elif isinstance(shape, dict):
        yield from _object_faults(value, shape, where)
    elif not shape(value):
        yield f"{where} is no {KINDS[shape]}"


def _list_faults(value: Any, shape: Each, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where} is no list"
        return
    for number, item in enumerate(value):
        yield from _faults(item, shape.shape, f"{where}[{number}]")


def _object_faults(value: Any, shape: Mapping[str, Any], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where or 'the payload'} is no object"
        return
    for name, part in shape.items():
        place = f"{where}.{name}" if where else name
        if name in value:
            yield from _faults(value[name], part, place)
        elif not isinstance(part, Sometimes):
            yield f"{place} is missing"
