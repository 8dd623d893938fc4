"""The agent's side of `/api/v1/agent/…`: one method per call, typed answers, typed refusals."""

import base64
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from agent import __version__
from agent.wire import Beat, Cancel, Lease, Phase, Usage

CHUNK_BYTES = 64 * 1024
CALL_TIMEOUT_S = 10.0
FILE_TIMEOUT_S = 30.0


class ProtocolError(Exception):
    """A call did not bring what it should; the message says why."""


class Unreachable(ProtocolError):
    """The network or the marketplace failed: the same call may work later (after `retry_after_s` where it said so)."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Fenced(ProtocolError):
    """The lease is over or has gone to another agent: its work must die and nothing more is written."""


class KeyRefused(ProtocolError):
    """The key is unknown, revoked, or not one for agents."""


class Refused(ProtocolError):
    """The marketplace understood the call and says no: repeating it is useless."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Backoff:
    """Waits that grow twofold up to `most_s`, each drawn evenly from zero to that (full jitter)."""

    def __init__(self, *, first_s: float = 0.25, most_s: float = 10.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._failures = 0

    def next_s(self, error: Unreachable | None = None) -> float:
        """Seconds to wait now; never shorter than the marketplace asked for."""
        ceiling = min(self._most_s, self._first_s * 2 ** min(self._failures, 16))
        self._failures += 1
        asked = error.retry_after_s if error is not None and error.retry_after_s else 0.0
        return max(random.uniform(0, ceiling), min(asked, 60.0))  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        """The call worked: begin again with the shortest wait."""
        self._failures = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What the marketplace answers to `register`."""

    agent: str
    site: str
    site_name: str
    poll_s: float
    clock_skew_s: float


class Market:
    """The marketplace as an agent sees it. Every method raises ProtocolError's kinds and nothing of httpx."""

    def __init__(self, *, url: str, key: str) -> None:
        self._root = url.rstrip("/") + "/api/v1/"
        loopback = urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
        self._http = httpx.Client(
            base_url=self._root,
            headers={"Authorization": f"Bearer {key}", "User-Agent": f"joulemart-agent/{__version__}"},
            timeout=CALL_TIMEOUT_S,
            trust_env=not loopback,
            limits=httpx.Limits(max_connections=256, max_keepalive_connections=32),
        )
        # Signed links carry their own right; the key is not shown to the storage behind them.
        self._files = httpx.Client(
            timeout=FILE_TIMEOUT_S,
            trust_env=not loopback,
            follow_redirects=True,
            headers={"Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Drop all connections."""
        self._http.close()
        self._files.close()

    def register(self, body: Mapping[str, Any]) -> Registration:
        """Say what this machine is; learn the site."""
        answer = self._post("agent/register", body)
        with _shape():
            return Registration(
                agent=str(answer["agent"]),
                site=str(answer["site"]),
                site_name=str(answer.get("site_name") or answer["site"]),
                poll_s=float(answer["intervals"]["poll_s"]),
                clock_skew_s=float(answer.get("clock_skew_s") or 0.0),
            )

    def leases(self, *, agent: str, most: int, wait_s: float, holds: Collection[str]) -> list[dict[str, Any]]:
        """Wait up to `wait_s` for work; the bodies of the leases, still to be read by `parse_lease`.

        A lease that is not among those the agent `holds` (ids) is told again when its first answer got lost.
        """
        ask = {"agent": agent, "max": most, "wait_s": wait_s, "holds": sorted(holds)}
        answer = self._post("agent/leases", ask, timeout_s=wait_s + CALL_TIMEOUT_S)
        with _shape():
            return list(answer["leases"])

    def heartbeat(
        self,
        lease: Lease,
        *,
        phase: Phase,
        progress: float | None,
        usage: Usage,
        signed: Mapping[str, str] | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Beat:
        """Renew a lease; `signed` is the line of what was used so far, where the last answer asked for it."""
        figures = {
            "seconds": usage.milliseconds // 1000,
            "cpu_ms": usage.cpu_ms,
            "peak_memory_bytes": usage.peak_memory_bytes,
        }
        body: dict[str, Any] = {"epoch": lease.epoch, "phase": phase, "progress": progress, "usage": figures}
        if signed is not None:
            body["signed"] = dict(signed)
        answer = self._post(f"agent/leases/{lease.id}/heartbeat", body, timeout_s=timeout_s)
        with _shape():
            cancel = answer.get("cancel")
            return Beat(
                lease_s=float(answer["lease_s"]),
                cancel=Cancel(reason=cancel["reason"], grace_s=float(cancel.get("grace_s") or 0)) if cancel else None,
                notice=answer.get("notice"),
                time_limit_s=int(answer.get("time_limit_s") or 0),
                usage_due=bool(answer.get("usage_due")),
            )

    def log(self, lease: Lease, *, offset: int, data: bytes, timeout_s: float = CALL_TIMEOUT_S) -> tuple[int, bool]:
        """Append to the log; the offset the marketplace wants next, and whether its quota is used up."""
        body = {"epoch": lease.epoch, "offset": offset, "data": base64.b64encode(data).decode("ascii")}
        answer = self._post(f"agent/leases/{lease.id}/log", body, timeout_s=timeout_s)
        with _shape():
            return int(answer["offset"]), bool(answer.get("quota_exceeded"))

    def declare_output(self, lease: Lease, *, path: str, size: int, sha256: str) -> tuple[str, str]:
        """Announce an output; its artifact id and the signed link to put it to."""
        body = {"epoch": lease.epoch, "path": path, "size": size, "sha256": sha256}
        answer = self._post(f"agent/leases/{lease.id}/outputs", body)
        with _shape():
            return str(answer["artifact"]), str(answer["url"])

    def finish(self, lease: Lease, body: Mapping[str, Any], *, timeout_s: float = CALL_TIMEOUT_S) -> str:
        """End the attempt; the state the marketplace gives it. A repeat of the same end changes nothing."""
        return str(self._post(f"agent/leases/{lease.id}/finish", body, timeout_s=timeout_s).get("state", ""))

    @contextmanager
    def download(self, url: str) -> Iterator[Iterable[bytes]]:
        """The bytes behind a signed link, in pieces."""
        with _network(), self._files.stream("GET", urljoin(self._root, url)) as answer:
            if not answer.is_success:
                answer.read()
            _raise_for(answer, signed_link=True)
            yield answer.iter_bytes(CHUNK_BYTES)

    def upload(self, url: str, *, size: int, content: Iterable[bytes]) -> None:
        """Put exactly `size` bytes to a signed link."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with _network():
            answer = self._files.put(urljoin(self._root, url), content=content, headers=headers)
            _raise_for(answer, signed_link=True)

    def _post(self, path: str, body: Mapping[str, Any], *, timeout_s: float = CALL_TIMEOUT_S) -> dict[str, Any]:
        with _network():
            answer = self._http.post(path, json=body, timeout=timeout_s)
            _raise_for(answer)
            return _object(answer)


@contextmanager
def _shape() -> Iterator[None]:
    """An answer that is not what the protocol says counts as a marketplace out of order."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreachable(f"the marketplace answered in an unknown shape: {error!r}") from error


@contextmanager
def _network() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise Unreachable(f"the marketplace could not be reached: {error or type(error).__name__}") from error


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError as error:
        raise Unreachable(f"{answer.request.url} answered something that is not JSON") from error
    if not isinstance(body, dict):
        raise Unreachable(f"{answer.request.url} answered JSON that is no object")
    return body


def _raise_for(answer: httpx.Response, *, signed_link: bool = False) -> None:
    """Nothing for a success, else the error that says what to do. A signed link knows neither keys nor leases."""
    if answer.is_success:
        return
    code, detail = _problem(answer)
    status = answer.status_code
    said = f"{detail} ({status} {code})"
    if not signed_link:
        _raise_for_lease_or_key(answer, code, said)
    if status in {408, 425, 429} or status >= 500 or code == "request_in_flight":
        raise Unreachable(said, retry_after_s=_seconds(answer.headers.get("Retry-After")))
    raise Refused(said, status=status, code=code)


def _raise_for_lease_or_key(answer: httpx.Response, code: str, said: str) -> None:
    unknown_lease = answer.status_code == 404 and "/agent/leases/" in answer.request.url.path
    if answer.status_code == 412 or code == "lease_fenced" or unknown_lease:
        raise Fenced(said)
    if answer.status_code in {401, 403}:
        raise KeyRefused(said)


def _problem(answer: httpx.Response) -> tuple[str, str]:
    """Code and detail of a problem document, or the plain status where the answer is none."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return "http_error", answer.reason_phrase or "refused"
    return str(body.get("code") or "http_error"), str(body.get("detail") or body.get("title") or answer.reason_phrase)


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() else None
