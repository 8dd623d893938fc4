"""Verification for whoever has a file and no program: the client's own verifier, with this market's published keys."""

import json
from typing import Any

from joulemart import receipts

from marketplace.common.errors import DomainError
from marketplace.energy.models import GreenReceipt
from marketplace.energy.receipts.document import key_set, standing_of

MOST_BYTES = 8 * 1024 * 1024  # a receipt of 400 hours with four sources and three versions has half of it


class UnreadableReceipt(DomainError):
    """What was sent is no receipt file."""

    code = "malformed_body"


def verify_file(data: bytes) -> receipts.Outcome:
    """Verify a receipt file as `joulemart receipts verify` does. Raises UnreadableReceipt."""
    keys = receipts.read_keys(json.dumps(key_set()).encode())
    try:
        return receipts.verify(data, keys=keys)
    except receipts.Unreadable as error:
        raise UnreadableReceipt(str(error), hint="send the receipt's JSON file as it was downloaded") from error


def newest_of(outcome: receipts.Outcome) -> dict[str, Any] | None:
    """What this market has of the receipt by now; None where nobody trusted signed the file, or it knows none."""
    if outcome.code not in {"valid", "sample_data"}:
        return None
    newest = GreenReceipt.objects.newest().filter(public_id=outcome.receipt).first()
    return standing_of(newest) if newest is not None else None


def outcome_as_json(outcome: receipts.Outcome) -> dict[str, Any]:
    """The verdict, every check with its fault, and what cannot be known from a file."""
    checks = [{"name": check.name, "ok": check.ok, "fault": check.fault} for check in outcome.checks]
    return {
        "object": "receipt_verification",
        "result": outcome.code,
        "receipt": outcome.receipt,
        "version": outcome.version,
        "status": outcome.status,
        "sample": outcome.sample,
        "sha256": outcome.sha256,
        "checks": checks,
        "first_failed": next((check for check in checks if not check["ok"]), None),
        "unknown": list(outcome.unknown),
        "newest": newest_of(outcome),
    }
