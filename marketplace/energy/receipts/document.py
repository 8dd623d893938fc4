"""Receipts as documents: the JSON file with all versions, and the public keys."""

from typing import Any

from marketplace.energy.models import GreenReceipt, ReceiptKey
from marketplace.energy.receipts.signing import jwk_of

FILE_SCHEMA = "joulemart-green-receipt-file/1"


def file_of(versions: list[GreenReceipt]) -> dict[str, Any]:
    """The evidence: every version as it was signed, the first one first, with the keys that signed them."""
    kids = {version.kid for version in versions}
    keys = ReceiptKey.objects.filter(kid__in=kids).values_list("public_key", flat=True)
    return {
        "schema": FILE_SCHEMA,
        "receipt": versions[0].public_id,
        "versions": [{"payload": version.payload, "jws": version.jws} for version in versions],
        "keys": {"keys": [jwk_of(x) for x in keys]},
    }


def key_set() -> dict[str, Any]:
    """Every key that receipts were ever signed with (RFC 7517)."""
    return {"keys": [jwk_of(x) for x in ReceiptKey.objects.values_list("public_key", flat=True)]}
