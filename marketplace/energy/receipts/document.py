"""Receipts as documents: the JSON file with all versions, what a list says of one, and the public keys."""

from collections.abc import Sequence
from typing import Any

from accounts.models import Organization
from marketplace.common.clock import rfc3339
from marketplace.energy.models import GreenReceipt, ReceiptKey
from marketplace.energy.receipts.excerpt import is_excerpt, payload_for
from marketplace.energy.receipts.signing import jwk_of

FILE_SCHEMA = "joulemart-green-receipt-file/1"
EXCERPT_FILE_SCHEMA = "joulemart-green-receipt-excerpt-file/1"


def file_of(versions: Sequence[GreenReceipt]) -> dict[str, Any]:
    """The evidence: every version as it was signed, the first one first, with the keys that signed them."""
    kids = {version.kid for version in versions}
    keys = ReceiptKey.objects.filter(kid__in=kids).values_list("public_key", flat=True)
    return {
        "schema": FILE_SCHEMA,
        "receipt": versions[0].public_id,
        "versions": [{"payload": version.payload, "jws": version.jws} for version in versions],
        "keys": {"keys": [jwk_of(x) for x in keys]},
    }


def file_for(versions: Sequence[GreenReceipt], organizations: Sequence[Organization]) -> dict[str, Any]:
    """The file as its buyer has it; for a provider the excerpts of its own places, without signatures."""
    payloads = [payload_for(version, organizations) for version in versions]
    if not is_excerpt(payloads[-1]):
        return file_of(versions)
    return {
        "schema": EXCERPT_FILE_SCHEMA,
        "receipt": versions[0].public_id,
        "versions": [{"payload": payload} for payload in payloads],
    }


def summary_of(receipt: GreenReceipt, organizations: Sequence[Organization]) -> dict[str, Any]:
    """A version as a list shows it; totals and shares are those of its buyer or provider."""
    payload = payload_for(receipt, organizations)
    return {
        "object": "receipt",
        "id": receipt.public_id,
        "version": receipt.version,
        "status": receipt.status,
        "settled": payload["settled"],
        "sample": receipt.sample,
        "excerpt": is_excerpt(payload),
        "subject": payload["subject"],
        "buyer": payload["buyer"],
        "sites": [{"id": place["site"]["id"], "name": place["site"]["name"]} for place in payload["places"]],
        "start": rfc3339(receipt.start),
        "end": rfc3339(receipt.end),
        "issued_at": rfc3339(receipt.issued_at),
        "totals": payload["totals"],
        "shares": payload["shares"],
        "measured_ppm": payload["measured_ppm"],
        "sha256": receipt.sha256,
    }


def standing_of(receipt: GreenReceipt) -> dict[str, Any]:
    """What anybody may know of a receipt by its id: version, status, hash and date."""
    return {
        "object": "receipt_status",
        "id": receipt.public_id,
        "version": receipt.version,
        "status": receipt.status,
        "sample": receipt.sample,
        "sha256": receipt.sha256,
        "issued_at": rfc3339(receipt.issued_at),
    }


def key_set() -> dict[str, Any]:
    """Every key that receipts were ever signed with (RFC 7517)."""
    return {"keys": [jwk_of(x) for x in ReceiptKey.objects.values_list("public_key", flat=True)]}
