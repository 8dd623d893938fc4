"""Receipts without a market: payloads of given hours and certificates, signed by a key of the test."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import Organization
from marketplace.common.clock import rfc3339
from marketplace.energy.models import MeterPoint
from marketplace.energy.receipts.payload import SCHEMA, Work, compose
from marketplace.energy.receipts.signing import Signer, canonical, jwk_of, sha256_of

START = datetime(2026, 11, 24, tzinfo=UTC)
SIGNER = Signer("a secret of the tests")
HOUR = timedelta(hours=1)


def at(number: int) -> str:
    """The start of hour `number`."""
    return str(rfc3339(START + number * HOUR))


def hour(
    number: int = 0, *, site_wh: int = 1_000, it_wh: int | None = None, place: int = 0, **changes: Any
) -> dict[str, Any]:
    """An hour on the grid alone; `onsite_wh` and `certificate_wh` are taken from what is unmatched."""
    matched = changes.get("onsite_wh", 0) + changes.get("certificate_wh", 0)
    return {
        "start": at(number), "place": place, "it_wh": site_wh if it_wh is None else it_wh, "site_wh": site_wh,
        "onsite_wh": 0, "certificate_wh": 0, "volume_wh": 0, "unmatched_wh": site_wh - matched, "unit_seconds": 3_600,
        "method": "metered_node", "settled": True, "pue_ppm": 1_140_000, "pue_method": "design",
        "direct_mg_per_kwh": 400_000, "lifecycle_mg_per_kwh": 450_000, "residual_mg_per_kwh": 700_000,
        "renewable_ppm": 300_000, "carbon_free_ppm": 400_000, "factor": 0, "flags": [],
    } | changes  # fmt: skip


def certificate(
    number: int, low: int, high: int, *, scheme: str = "GC", place: int = 0, **changes: Any
) -> dict[str, Any]:
    """A cancelled range of an hour's issuance, its own for each hour and scheme."""
    own = scheme == "METER"
    return {
        "hour": at(number), "place": place, "lot": f"crt_{scheme}{place}", "scheme": scheme,
        "registry": "test registry", "issuance": f"issuance {scheme} {place} {number}", "from_wh": low, "to_wh": high,
        "start": at(number), "end": at(number + 1), "resolution": "hour", "release": "production",
        "kind": "onsite" if own else "ppa_physical",
        "device": "device 7", "technology": "solar" if own else "wind", "commissioned_on": "2024-05-01",
        "boundary": "DE", "evidence": "audited" if own else "documents", "serial": "",
        "sample": False, "cancelled_at": at(80),
        "purpose": "electricity for computing", "beneficiary": "Rhine Lab", "statement": "registry 17",
    } | changes  # fmt: skip


def place(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "point": f"point {number}", "provider": {"id": f"org_{number}", "name": f"Provider {number}"},
        "site": {"id": f"sit_{number}", "name": f"Site {number}", "locality": "Nauen"}, "country": "DE", "zone": "DE",
        "boundary": "DE", "water_ml_per_kwh": None,
    } | changes  # fmt: skip


def payload(
    hours: Sequence[Mapping[str, Any]], certificates: Sequence[Mapping[str, Any]] = (), *, version: int = 1,
    prev_sha256: str | None = None, promise: Mapping[str, Any] | None = None, places: int = 1, sample: bool = False,
    status: str = "final", embodied_kg: int | None = None, id: str = "rct_1", **kept: Any,
) -> dict[str, Any]:  # fmt: skip
    """A payload as the product composes it."""
    last = max(datetime.fromisoformat(each["start"]) for each in hours) + HOUR if hours else START
    seconds = sum(each["unit_seconds"] for each in hours)
    parts = {
        "schema": SCHEMA, "subject": {"kind": "job", "id": "job_1"}, "buyer": {"id": "org_b", "name": "Rhine Lab"},
        "period": {"start": at(0), "end": rfc3339(last)}, "places": [place(number) for number in range(places)],
        "equipment": [
            {
                "hardware": "h100-sxm", "unit_seconds": seconds, "embodied_kg": embodied_kg, "lifetime_h": 43_800,
                "units_per_node": 8,
            }
        ],
        "work": {
            "shared": False, "rounds": [], "currency": "USD", "charge_minor": 0, "tax_minor": 0, "contracts": [],
        },
        "sample": sample,
    } | kept  # fmt: skip
    facts = {
        "hours": list(hours), "certificates": list(certificates), "sample": False,
        "factors": [{"source": "test", "vintage": "2026-11", "notice": "CC BY 4.0"}],
    }  # fmt: skip
    return compose(
        kept=parts, facts=facts, promise=promise, id=id, version=version, status=status,
        issued_at=START + 100 * HOUR, prev_sha256=prev_sha256, verify=f"https://market.example/verify/{id}",
    )  # fmt: skip


def signed(body: Mapping[str, Any], signer: Signer = SIGNER) -> dict[str, Any]:
    """One version as it stands in a file."""
    return {"payload": body, "jws": signer.sign(canonical(dict(body)))}


def file_bytes(*bodies: Mapping[str, Any], signer: Signer = SIGNER) -> bytes:
    """A receipt file of these versions."""
    document = {
        "schema": "joulemart-green-receipt-file/1", "receipt": bodies[0]["id"],
        "versions": [signed(body, signer) for body in bodies], "keys": keys_of(signer),
    }  # fmt: skip
    return json.dumps(document).encode()


def keys_of(signer: Signer = SIGNER) -> dict[str, Any]:
    """The key set of a signer."""
    return {"keys": [jwk_of(signer.x)]}


def hash_of(body: Mapping[str, Any]) -> str:
    return sha256_of(canonical(dict(body)))


def work_of(subject: str, point: MeterPoint, buyer: Organization, start: datetime) -> Work:
    """A job of one unit-hour at `point`, as the market hands it in."""
    papers = payload([hour()])
    return Work(
        subject=subject, kind="job", buyer=buyer, start=start, end=start + HOUR, sample=False,
        places=[place(point=point.code, zone=point.zone.code)], equipment=papers["equipment"], record=papers["work"],
    )  # fmt: skip
