"""What a provider sees of a receipt of work at its sites: its own places, and nothing of who bought and what it paid.

An excerpt is no evidence: it is not what was signed, and says so by its schema.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from accounts.models import Organization
from marketplace.common.units import PPM
from marketplace.energy.models import GreenReceipt
from marketplace.energy.receipts.figures import shares_of, totals_of

EXCERPT_SCHEMA = "joulemart-green-receipt-excerpt/1"
KEPT = (
    "id", "version", "status", "settled", "issued_at", "sample", "subject", "period", "factors", "temporal_resolution",
    "method", "scopes", "verify",
)  # fmt: skip


def payload_for(receipt: GreenReceipt, organizations: Sequence[Organization]) -> dict[str, Any]:
    """The payload as its buyer has it; for a provider the excerpt of its own places."""
    if receipt.buyer_id in {each.pk for each in organizations}:
        payload: dict[str, Any] = receipt.payload
        return payload
    return excerpt_of(receipt.payload, {each.public_id for each in organizations})


def excerpt_of(payload: Mapping[str, Any], providers: Collection[str]) -> dict[str, Any]:
    """The part of a payload that happened at the sites of `providers`, with figures of its own."""
    numbers = [n for n, place in enumerate(payload["places"]) if place["provider"]["id"] in providers]
    place_of = {number: place for place, number in enumerate(numbers)}
    hours = _at(payload["hours"], place_of)
    totals = totals_of(hours)
    return {
        **{name: payload[name] for name in KEPT},
        "schema": EXCERPT_SCHEMA,
        "buyer": {"id": payload["buyer"]["id"]},
        "places": [payload["places"][number] for number in numbers],
        "hours": hours,
        "certificates": [each | {"beneficiary": ""} for each in _at(payload["certificates"], place_of)],
        "totals": totals,
        "shares": shares_of(hours),
        "measured_ppm": totals["measured_wh"] * PPM // totals["site_wh"] if totals["site_wh"] else 0,
    }


def is_excerpt(payload: Mapping[str, Any]) -> bool:
    """Whether this is not the whole of what was signed."""
    return bool(payload["schema"] == EXCERPT_SCHEMA)


def _at(rows: Sequence[Mapping[str, Any]], place_of: Mapping[int, int]) -> list[dict[str, Any]]:
    return [{**row, "place": place_of[row["place"]]} for row in rows if row["place"] in place_of]
