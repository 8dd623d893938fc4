"""A receipt's payload: what upper layers say of the work, what the record knows of the energy, and their figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import Organization
from marketplace.common.clock import rfc3339
from marketplace.common.units import PPM
from marketplace.energy.receipts.figures import sci_of, shares_of, totals_of

SCHEMA = "joulemart-green-receipt/1"
METHODS = {
    "matching": "by the hour, on-site first; unmet promises before the rest, then pro rata",
    "location_based": "GHG Protocol Scope 2 Guidance (2015), average direct intensity of the grid zone",
    "market_based": "GHG Protocol Scope 2 Guidance (2015), residual mix where it is known",
    "life_cycle": "average life-cycle intensity of the grid zone",
    "canonical_json": "RFC 8785",
    "signature": "RFC 7515 compact, Ed25519 (RFC 9864)",
}
SCOPES = (
    "Usually the provider's Scope 2 and the buyer's Scope 3 category 1; the buyer's Scope 2 only under operational "
    "control of the machines."
)


@dataclass(frozen=True, slots=True)
class Work:
    """What upper layers know of a reservation or job whose energy is receipted.

    `places` are where it ran, each with its metering `point` by code and what is said of the site; `equipment` lists
    {hardware, unit_seconds, embodied_kg, lifetime_h, units_per_node}; `record` is the work itself: rounds, meter lines,
    rates and charge, in whole numbers.
    """

    subject: str
    kind: str
    buyer: Organization
    start: datetime
    end: datetime
    places: Sequence[Mapping[str, Any]]
    equipment: Sequence[Mapping[str, Any]]
    record: Mapping[str, Any]
    sample: bool


def frozen(work: Work) -> dict[str, Any]:
    """The parts of a payload that no later version changes."""
    return {
        "schema": SCHEMA,
        "subject": {"kind": work.kind, "id": work.subject},
        "buyer": {"id": work.buyer.public_id, "name": work.buyer.name},
        "period": {"start": rfc3339(work.start), "end": rfc3339(work.end)},
        "places": [dict(place) for place in work.places],
        "equipment": [dict(each) for each in work.equipment],
        "work": dict(work.record),
        "sample": work.sample,
    }


def compose(
    *, kept: Mapping[str, Any], facts: Mapping[str, Any], promise: Mapping[str, Any] | None, id: str, version: int,
    status: str, issued_at: datetime, prev_sha256: str | None, verify: str,
) -> dict[str, Any]:  # fmt: skip
    """The payload of one version: `kept` parts of every version, `facts` of the energy, and their figures."""
    hours = facts["hours"]
    totals = totals_of(hours)
    whole = totals["site_wh"]
    return {
        **kept,
        "id": id,
        "version": version,
        "status": status,
        "settled": all(hour["settled"] for hour in hours),
        "issued_at": rfc3339(issued_at),
        "sample": kept["sample"] or facts["sample"],
        "hours": hours,
        "certificates": facts["certificates"],
        "factors": facts["factors"],
        "totals": totals,
        "shares": shares_of(hours),
        "measured_ppm": totals["measured_wh"] * PPM // whole if whole else 0,
        "temporal_resolution": "hour",
        "promise": dict(promise) if promise else None,
        "sci": sci_of(totals["location_ug"], kept["equipment"]),
        "method": METHODS,
        "scopes": SCOPES,
        "prev_sha256": prev_sha256,
        "verify": verify,
    }


def kept_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The unchanging parts of an earlier version."""
    names = ("schema", "subject", "buyer", "period", "places", "equipment", "work", "sample")
    return {name: payload[name] for name in names}
