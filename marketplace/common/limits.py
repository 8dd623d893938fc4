"""How often one caller may ask: counters in the cache, and a stricter counter of this process when the cache is away.

Windows are fixed (the clock's minutes or days), so a caller may reach twice the quota around a boundary; that is the
price of one increment per request. Quotas come from settings.RATE_LIMITS, {class of call: calls in its window}.
"""

import math
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis
import structlog
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from marketplace.common.addresses import client_address
from marketplace.common.clock import moment_of
from marketplace.common.errors import RateLimited

log = structlog.get_logger(__name__)

MINUTE = 60
DAY = 86_400
WITHOUT_CACHE = 4  # a process alone allows a quarter: several of them share the traffic
READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands in a window: `quota` calls in `window_s`, `left` of them, `reset_s` until the next."""

    name: str
    quota: int
    window_s: int
    left: int
    reset_s: int

    @property
    def is_over(self) -> bool:
        return self.left < 0


class ProcessCounter:
    """Counts of the present window in this process alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = 0
        self._counts: Counter[str] = Counter()

    def increment(self, key: str, window: int) -> int:
        """The number of calls of `key` in `window`, this one included; older windows are forgotten."""
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, Counter()
            self._counts[key] += 1
            return self._counts[key]


alone = ProcessCounter()


def count(name: str, who: str, *, quota: int, now: datetime, window_s: int = MINUTE) -> Standing:
    """Count one call of `who` and say where that leaves them."""
    moment = now.timestamp()
    window = int(moment // window_s)
    key = f"limit:{name}:{who}:{window}"
    try:
        cache.add(key, 0, timeout=2 * window_s)
        used = cache.incr(key)
    except (redis.RedisError, ValueError) as error:  # ValueError: the key was evicted between the two calls
        log.warning("rate limit counted in this process alone", error=str(error))
        quota = max(1, quota // WITHOUT_CACHE)
        used = alone.increment(key, window)
    reset_s = max(1, math.ceil((window + 1) * window_s - moment))
    return Standing(name=name, quota=quota, window_s=window_s, left=quota - used, reset_s=reset_s)


def spend(name: str, who: str, *, quota: int, now: datetime, window_s: int = DAY) -> None:
    """Count one call of a rare kind; raises RateLimited beyond the quota."""
    standing = count(name, who, quota=quota, now=now, window_s=window_s)
    if standing.is_over:
        raise RateLimited(
            f"at most {quota} in {window_s} s", quota=quota, window_s=window_s, retry_after_s=standing.reset_s
        )


def tell(response: HttpResponseBase, standing: Standing) -> None:
    """Name the quota and what is left of it (IETF draft ratelimit-headers)."""
    response["RateLimit-Policy"] = f'"{standing.name}";q={standing.quota};w={standing.window_s}'
    response["RateLimit"] = f'"{standing.name}";r={max(0, standing.left)};t={standing.reset_s}'


class PerMinute(BaseThrottle):
    """The API's limits per key, person or address; a view in a class of its own says `limit = "quotes"`."""

    standing: Standing | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call; the middleware tells the standing in the answer."""
        who, kind = _caller(request), _class_of(request, view)
        self.standing = count(kind, who, quota=settings.RATE_LIMITS[kind], now=moment_of(request))
        request._request.rate_standing = self.standing  # type: ignore[attr-defined]  # for the middleware
        return not self.standing.is_over

    def wait(self) -> float | None:
        return float(self.standing.reset_s) if self.standing else None


def _caller(request: Request) -> str:
    key: Any = request.auth
    if key is not None:
        return str(key.public_id)
    if request.user.is_authenticated:
        return f"person:{request.user.pk}"
    return f"address:{client_address(request._request)}"


def _class_of(request: Request, view: Any) -> str:
    key: Any = request.auth
    if key is None and not request.user.is_authenticated:
        return "anonymous"
    if key is not None and "agent" in key.scopes:
        return "agent"
    default = "read" if request.method in READ_METHODS else "write"
    return str(getattr(view, "limit", default)) if default == "write" else default


def standing_of(request: HttpRequest) -> Standing | None:
    """The standing that the throttle left on the request."""
    return getattr(request, "rate_standing", None)
