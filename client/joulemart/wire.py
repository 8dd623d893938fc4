"""What both transports share: building a request, reading an answer, checking a download while it is written."""

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from .calls import Call
from .config import Settings
from .errors import ApiError, ConnectionLost, NotSignedIn, UnexpectedAnswer, VerificationFailed, error_of
from .follow import SILENCE_S
from .retry import retry_after_s

__version__ = "0.1.0"
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
STREAM_TIMEOUT = httpx.Timeout(SILENCE_S, connect=5.0)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

OnCall = Callable[[httpx.Request], None]


class Wire:
    """One marketplace address and key, and how calls look on the wire."""

    def __init__(self, settings: Settings, *, on_call: OnCall | None = None) -> None:
        self.settings = settings
        self._on_call = on_call
        self.headers = {
            "User-Agent": f"joulemart-python/{__version__} Python/{platform.python_version()}",
            "Accept": "application/json, application/problem+json, application/x-ndjson",
        }
        if settings.api_key:
            self.headers["Authorization"] = f"Bearer {settings.api_key}"

    def request(self, http: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
        """The request of `call`, shown to `on_call`."""
        name, content = call.file or ("", b"")
        request = http.build_request(
            call.method,
            f"{self.settings.url}/api/v1{call.path}",
            params=call.query(),
            json=call.json,
            files={"file": (name, content)} if call.file else None,
            headers={**self.headers, **call.headers},
            timeout=TIMEOUT,
        )
        self.show(request)
        return request

    def stream_request(
        self, http: httpx.Client | httpx.AsyncClient, base: str, path: str, headers: dict[str, str]
    ) -> httpx.Request:
        """The request of one stream connection. The key goes to the marketplace's own host only."""
        url = httpx.URL(f"{base.rstrip('/')}/api/v1{path}")
        if not _same_host(url.host, httpx.URL(self.settings.url).host):
            raise UnexpectedAnswer(
                f"the marketplace names a stream on another host, {url.host}: not sending the key there"
            )
        request = http.build_request(
            "GET", url, params={"follow": "1"}, headers={**self.headers, **headers}, timeout=STREAM_TIMEOUT
        )
        if "Last-Event-ID" not in headers:
            self.show(request)
        return request

    def file_request(self, http: httpx.Client | httpx.AsyncClient, link: str) -> httpx.Request:
        """A signed link, which needs no key and therefore gets none."""
        url = urljoin(f"{self.settings.url}/", link)
        request = http.build_request("GET", url, headers={"User-Agent": self.headers["User-Agent"]}, timeout=TIMEOUT)
        self.show(request)
        return request

    def show(self, request: httpx.Request) -> None:
        """Tell the observer, if there is one."""
        if self._on_call is not None:
            self._on_call(request)

    def lost(self, error: Exception) -> ConnectionLost:
        """The error for a connection that failed on every try."""
        reason = str(error) or type(error).__name__
        return ConnectionLost(
            f"cannot reach {self.settings.url}: {reason}; check the address or start it with `make run`"
        )

    def settled(self, response: httpx.Response) -> httpx.Response:
        """A successful answer as it is; raises the typed error of any other."""
        if response.is_success:
            return response
        if response.is_redirect:
            raise UnexpectedAnswer(
                f"{response.request.url} moved to {response.headers.get('Location')}: use that address"
            )
        error = error_of(response, retry_after_s=retry_after_s(response))
        if error.status == httpx.codes.UNAUTHORIZED and not self.settings.api_key:
            raise NotSignedIn("this call needs a key: run `joulemart login` or set JOULEMART_API_KEY") from error
        raise error


def _same_host(one: str, other: str) -> bool:
    """Whether two names are one machine as far as a key is concerned: equal, or both this machine."""
    return one == other or {one, other} <= LOOPBACK


def body_of(response: httpx.Response) -> Any:
    """The answer's JSON. Raises UnexpectedAnswer when it is none."""
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        kind = response.headers.get("Content-Type", "no type")
        raise UnexpectedAnswer(f"{response.request.url.copy_with(query=None)} answered {kind}, not JSON") from error


def is_outage(error: ApiError) -> bool:
    """Whether a refused stream connection is worth another one."""
    return error.status == httpx.codes.TOO_MANY_REQUESTS or error.status >= 500


class VerifiedFile:
    """A download in a temporary file beside `target`; it takes the name only when size and SHA-256 are right."""

    def __init__(self, target: Path, *, size: int, sha256: str) -> None:
        self._target = target
        self._size = size
        self._sha256 = sha256.lower()
        self._hash = hashlib.sha256()
        self._written = 0

    def __enter__(self) -> Self:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._target.parent, prefix=f".{self._target.name}.")
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "wb")
        return self

    def write(self, chunk: bytes) -> None:
        """Add `chunk`; raises VerificationFailed as soon as the file is longer than promised."""
        self._file.write(chunk)
        self._hash.update(chunk)
        self._written += len(chunk)
        if self._written > self._size:
            raise VerificationFailed(f"{self._target.name} is longer than the recorded {self._size} bytes")

    def keep(self) -> Path:
        """Check and name the file. Raises VerificationFailed."""
        if self._written != self._size:
            raise VerificationFailed(f"{self._target.name} has {self._written} bytes, recorded are {self._size}")
        if self._hash.hexdigest() != self._sha256:
            raise VerificationFailed(
                f"{self._target.name} has SHA-256 {self._hash.hexdigest()[:12]}…, recorded is {self._sha256[:12]}…"
            )
        self._file.close()
        umask = os.umask(0)
        os.umask(umask)
        self._temporary.chmod(0o666 & ~umask)
        return self._temporary.replace(self._target)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def place_in(folder: Path, path: str) -> Path:
    """Where an output goes below `folder`. Raises VerificationFailed for a path that leads out of it."""
    target = (folder / path).resolve()
    if not target.is_relative_to(folder.resolve()) or target == folder.resolve():
        raise VerificationFailed(f"output {path!r} points outside {folder}: not written")
    return target
