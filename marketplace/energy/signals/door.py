"""HTTP to one source within one fetch: bounded in time and size, never redirected, its failures told as ours."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from marketplace.common.outside import assert_outside_transaction
from marketplace.energy.signals.errors import ProviderBusy, ProviderConfused, ProviderDown, ProviderRefused

PATIENCE_S = 8.0  # for one step of one answer
ALL_S = 40.0  # for all answers of one fetch
MOST_BYTES = 8 * 1024 * 1024
LONGEST_WAIT = timedelta(days=1)


@dataclass(slots=True)
class Door:
    """Asks `source` at `base` over `client`; `asked_at` is the moment of the fetch."""

    source: str
    base: str
    client: httpx.Client
    asked_at: datetime
    _ends: float = field(default_factory=lambda: time.monotonic() + ALL_S)

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        also: Collection[int] = (),
    ) -> bytes:
        """The body of a 200, or of a status in `also`.

        Raises ProviderDown, ProviderBusy, ProviderRefused or ProviderConfused (an answer that never ends), and
        CallInsideTransaction.
        """
        assert_outside_transaction()
        auth = httpx.BasicAuth(*basic) if basic else None
        request = self.client.build_request(
            "GET", self.base + path, params=dict(params or {}), headers=dict(headers or {}), timeout=self._patience()
        )
        try:
            answer = self.client.send(request, auth=auth, stream=True, follow_redirects=False)
            try:
                body = self._read(answer)
            finally:
                answer.close()
        except httpx.HTTPError as error:
            raise ProviderDown(f"{self.source} gave no answer: {type(error).__name__}") from error
        if answer.status_code != 200 and answer.status_code not in also:
            raise self._failure(answer)
        return body

    def _patience(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise ProviderDown(f"{self.source} took more than {ALL_S:.0f} s")
        return min(PATIENCE_S, left)

    def _read(self, answer: httpx.Response) -> bytes:
        parts, size = [], 0
        for part in answer.iter_bytes():
            self._patience()
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise ProviderConfused(f"{self.source} answers with more than {MOST_BYTES} bytes")
        return b"".join(parts)

    def _failure(self, answer: httpx.Response) -> Exception:
        status = answer.status_code
        if status == 429 or (status == 503 and "Retry-After" in answer.headers):
            return ProviderBusy(f"{self.source} answers {status}", wait=self._wait(answer.headers))
        if status >= 500 or status == 408:
            return ProviderDown(f"{self.source} answers {status}")
        return ProviderRefused(f"{self.source} answers {status}")

    def _wait(self, headers: httpx.Headers) -> timedelta | None:
        """Retry-After as seconds or as a date (RFC 9110), at most a day; None when it says neither."""
        text = headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return min(timedelta(seconds=int(text[:9])), LONGEST_WAIT)
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return min(max(until - self.asked_at, timedelta(0)), LONGEST_WAIT)
