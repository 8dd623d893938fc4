"""`transport.py` for asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from . import calls
from .calls import Call
from .config import Settings
from .decode import decode
from .errors import ApiError, ConnectionLost
from .follow import Follower, StreamGap
from .job_objects import StreamEnd, StreamEvent
from .paging import Page, page_of
from .retry import RetryPolicy, Tries
from .sse import SseParser
from .wire import OnCall, VerifiedFile, Wire, body_of, is_outage

T = TypeVar("T")


class AsyncTransport:
    """Sends calls to one marketplace. Close it when done."""

    def __init__(
        self,
        settings: Settings,
        *,
        policy: RetryPolicy | None = None,
        on_call: OnCall | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.wire = Wire(settings, on_call=on_call)
        self.policy = policy or RetryPolicy()
        self.sleep = sleep
        self._http = httpx.AsyncClient()
        self._stream_url: str | None = None

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def send(self, call: Call[Any]) -> httpx.Response:
        """The successful answer to `call`, after retries; raises the typed error of any other."""
        return self.wire.settled(await self._tried(self.wire.request(self._http, call)))

    async def fetch(self, call: Call[T]) -> T:
        """The object `call` answers."""
        return self.decoded(call, await self.send(call))

    def decoded(self, call: Call[T], response: httpx.Response) -> T:
        """The object in an answer to `call`."""
        return decode(call.kind, body_of(response), transport=self)

    async def fetch_page(self, call: Call[T]) -> Page[T]:
        """The page `call` answers."""
        return page_of(call, body_of(await self.send(call)), self)

    async def download(self, link: str, target: Path, *, size: int, sha256: str) -> Path:
        """Store a signed link's bytes at `target`, verified. Raises VerificationFailed and keeps nothing else."""
        request = self.wire.file_request(self._http, link)
        tries = Tries(self.policy, request)
        while True:
            try:
                return await self._downloaded(request, VerifiedFile(target, size=size, sha256=sha256))
            except httpx.TransportError as error:
                pause = tries.pause_after(error)
                if pause is None:
                    raise self.wire.lost(error) from error
                await self.sleep(pause)

    async def pieces(self, call: Call[bytes]) -> AsyncIterator[bytes]:
        """The bytes of a file while they come. Raises ConnectionLost when they end too early: what came is a part."""
        response = await self._tried(self.wire.request(self._http, call), stream=True)
        try:
            self.wire.settled(response)
            async for piece in response.aiter_bytes():
                yield piece
        except httpx.TransportError as error:
            raise self.wire.lost(error) from error
        finally:
            await response.aclose()

    async def follow(self, path: str) -> AsyncIterator[StreamEvent | None]:
        """The events of a stream, resumed over cut connections; None whenever bytes came without an event.

        Ends after the stream's `end`. Raises ConnectionLost when several connections in a row bring nothing.
        """
        follower = Follower(self.policy)
        while True:
            began = time.monotonic()
            cause: Exception | None = None
            try:
                async for event in self._connected(path, follower):
                    yield event
                    if isinstance(event, StreamEnd):
                        return
            except (httpx.TransportError, StreamGap) as error:
                cause = error
            except ApiError as error:
                if not is_outage(error):
                    raise
                cause = error
            pause = follower.lost_after(time.monotonic() - began)
            if pause is None:
                raise ConnectionLost(f"the stream broke too often: {cause or 'closed without an end'}")
            await self.sleep(pause)

    async def _tried(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        tries = Tries(self.policy, request)
        while True:
            outcome = await self._once(request, stream=stream)
            pause = tries.pause_after(outcome)
            if pause is not None:
                await self.sleep(pause)
            elif isinstance(outcome, httpx.Response):
                return outcome
            else:
                raise self.wire.lost(outcome) from outcome

    async def _once(self, request: httpx.Request, *, stream: bool) -> httpx.Response | httpx.TransportError:
        try:
            response = await self._http.send(request, stream=stream)
            if not response.is_success:
                await response.aread()  # what a refusal says is short
        except httpx.TransportError as error:
            return error
        return response

    async def _downloaded(self, request: httpx.Request, file: VerifiedFile) -> Path:
        response = await self._http.send(request, stream=True)
        try:
            if not response.is_success:
                await response.aread()
            self.wire.settled(response)
            with file:
                async for chunk in response.aiter_bytes():
                    file.write(chunk)
                return file.keep()
        finally:
            await response.aclose()

    async def _connected(self, path: str, follower: Follower) -> AsyncIterator[StreamEvent | None]:
        """The events of one connection."""
        request = self.wire.stream_request(self._http, await self._stream_base(), path, follower.headers)
        parser = SseParser(follower.last_event_id)
        response = await self._http.send(request, stream=True)
        try:
            if not response.is_success:
                await response.aread()
            self.wire.settled(response)
            async for chunk in response.aiter_bytes():
                yield None
                for event in parser.feed(chunk):
                    if seen := follower.read(event):
                        yield seen
        finally:
            await response.aclose()

    async def _stream_base(self) -> str:
        if self._stream_url is None:
            self._stream_url = (await self.fetch(calls.me())).stream_url or self.wire.settings.url
        return self._stream_url
