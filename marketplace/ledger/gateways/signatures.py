"""Webhooks in: who sent the bytes, when, and to whom. Both processors sign as Stripe does.

The check is our own: the library takes a signature from the future, and knows neither accounts nor modes.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from marketplace.ledger.gateways.base import SignatureInvalid, WebhookEvent
from marketplace.ledger.gateways.words import event_of

HEADER = "Stripe-Signature"
MOST_BYTES = 256 * 1024
TOLERANCE_S = 300


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a webhook must be meant for: any of the secrets signs, while one replaces the other."""

    secrets: tuple[str, ...]
    account: str
    livemode: bool


def sign(*, raw: bytes, secret: str, at: datetime) -> str:
    """The value of the header for a body sent at that moment."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(raw, secret, str(seconds))}"


def read_webhook(*, raw: bytes, headers: Mapping[str, str], now: datetime, recipient: Recipient) -> WebhookEvent:
    """The event of a signed body. Raises SignatureInvalid for every other."""
    if len(raw) > MOST_BYTES:
        raise SignatureInvalid(f"the body is larger than {MOST_BYTES} bytes")
    _check_signature(raw, headers, now, recipient.secrets)
    try:
        body = json.loads(raw)
        found = event_of(body)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SignatureInvalid("the body is no event") from error
    if body.get("livemode") is not recipient.livemode:
        raise SignatureInvalid("the event is of the other mode")
    if not _is_ours(body, found, recipient.account):
        raise SignatureInvalid("the event is of another account")
    return found


def _check_signature(raw: bytes, headers: Mapping[str, str], now: datetime, secrets: Iterable[str]) -> None:
    header = next((value for name, value in headers.items() if name.lower() == HEADER.lower()), "")
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12) or not given:
        raise SignatureInvalid(f"{HEADER} is missing or is not t=…,v1=…")
    wanted = [_digest(raw, secret, times[0]) for secret in secrets if secret]
    there = [value.encode(errors="replace") for value in given]
    if not any([hmac.compare_digest(mine.encode(), theirs) for mine in wanted for theirs in there]):
        raise SignatureInvalid("no signature is by a secret of ours")
    if abs(now.timestamp() - int(times[0])) > TOLERANCE_S:
        raise SignatureInvalid(f"it was signed more than {TOLERANCE_S} s from now")


def _is_ours(body: Mapping[str, Any], found: WebhookEvent, account: str) -> bool:
    """Our own account's events name none; of a connected account we listen to what it says of itself."""
    named = body.get("account")
    return named in (None, account) or (found.subject == "payee" and found.object_id == named)


def _digest(raw: bytes, secret: str, seconds: str) -> str:
    return hmac.new(secret.encode(), seconds.encode() + b"." + raw, sha256).hexdigest()
