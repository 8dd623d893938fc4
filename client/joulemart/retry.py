"""When a call is tried again, and after how long: full jitter, and `Retry-After` where the server names it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from .errors import error_of

REPEATABLE_STATUS = frozenset({429, 502, 503, 504})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """`retries` tries after the first; pause n is uniform in [0, min(cap_s, base_s * 2**n)), or the server's own.

    A `Retry-After` over `longest_wait_s` ends the tries: the caller should know rather than wait.
    """

    retries: int = 3
    base_s: float = 0.5
    cap_s: float = 8.0
    longest_wait_s: float = 60.0
    uniform: Callable[[float, float], float] = field(default=random.uniform, repr=False)

    def jitter(self, retry: int) -> float:
        """Seconds before retry number `retry` (from 0)."""
        return self.uniform(0.0, min(self.cap_s, self.base_s * 2.0**retry))


def retry_after_s(response: httpx.Response) -> float | None:
    """Seconds named by `Retry-After` (a number or a date), None when absent or unreadable."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


class Tries:
    """The tries of one call. A call is repeated only when that cannot do its work twice:
    reads, and writes that carry an Idempotency-Key."""

    def __init__(self, policy: RetryPolicy, request: httpx.Request) -> None:
        self._policy = policy
        self._used = 0
        self._repeatable = request.method in SAFE_METHODS or "Idempotency-Key" in request.headers

    def pause_after(self, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Seconds to wait before the next try; None when this outcome stands."""
        if not self._repeatable or self._used >= self._policy.retries or not _is_worth_repeating(outcome):
            return None
        named = retry_after_s(outcome) if isinstance(outcome, httpx.Response) else None
        if named is not None and named > self._policy.longest_wait_s:
            return None
        pause = named if named is not None else self._policy.jitter(self._used)
        self._used += 1
        return pause


def _is_worth_repeating(outcome: httpx.Response | httpx.TransportError) -> bool:
    if isinstance(outcome, httpx.TransportError):
        return not isinstance(outcome, httpx.UnsupportedProtocol)
    if outcome.status_code == 409:
        # Our own first try may still be running after its connection broke.
        return error_of(outcome).code == "request_in_flight"
    return outcome.status_code in REPEATABLE_STATUS
