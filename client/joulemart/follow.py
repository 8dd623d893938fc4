"""Following a job's stream over cut connections: what was seen, where to resume, when to give up."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .decode import decode
from .errors import UnexpectedAnswer
from .job_objects import LogLine, MeterReading, StateChange, StreamEnd, StreamEvent
from .retry import RetryPolicy
from .sse import ServerSentEvent

FRUITLESS_CONNECTIONS = 12
HEALTHY_CONNECTION_S = 5.0
SILENCE_S = 45.0  # the server comments every 15 s: three missed comments mean a dead connection

_READERS: dict[str, Callable[[Any], StreamEvent]] = {
    "log": lambda data: decode(LogLine, data),
    "state": lambda data: decode(StateChange, data),
    "meter": lambda data: decode(MeterReading, data),
    "end": lambda data: decode(StreamEnd, data if isinstance(data, dict) else {}),
}


class StreamGap(Exception):
    """Bytes of the log are missing between two lines; the connection is dropped and resumed."""


@dataclass(frozen=True)
class _Position:
    number: int
    offset: int


class Follower:
    """State of one followed stream. Lines come out once each and in order, however often the connection is cut."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._last: _Position | None = None
        self._gap_at: _Position | None = None
        self._version = -1
        self._state_name = ""
        self._fruitless = 0
        self.last_event_id = ""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the next connection."""
        resume = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        return {"Accept": "text/event-stream", "Cache-Control": "no-store", **resume}

    def read(self, event: ServerSentEvent) -> StreamEvent | None:
        """The typed event, or None for a repeat or a kind this client does not know. Raises StreamGap."""
        reader = _READERS.get(event.event)
        if reader is None:
            return None
        try:
            seen = reader(json.loads(event.data or "{}"))
        except json.JSONDecodeError as error:
            raise UnexpectedAnswer(f"the stream sent a {event.event} event that is not JSON") from error
        if isinstance(seen, LogLine):
            return self._line(seen, event.id)
        if isinstance(seen, StateChange):
            return self._state(seen)
        return seen

    def lost_after(self, seconds: float) -> float | None:
        """Seconds to wait before connecting again after one that lived `seconds`; None: give up."""
        if seconds >= HEALTHY_CONNECTION_S:
            self._fruitless = 0
        self._fruitless += 1
        if self._fruitless > FRUITLESS_CONNECTIONS:
            return None
        return self._policy.jitter(self._fruitless - 1)

    def _line(self, line: LogLine, event_id: str) -> LogLine | None:
        last = self._last
        if last and (line.number, line.offset) < (last.number, last.offset):
            return None
        if last and line.number == last.number and line.offset > last.offset and self._gap_at != last:
            # Once: ask again from the same place. Twice: the server's own record lacks these bytes.
            self._gap_at = last
            raise StreamGap(f"bytes {last.offset} to {line.offset} of attempt {line.number} are missing")
        self._last = _Position(line.number, line.next_offset)
        self.last_event_id = event_id or f"{line.number}-{line.next_offset}"
        self._fruitless = 0
        return line

    def _state(self, change: StateChange) -> StateChange | None:
        version = self._version if change.version is None else change.version
        if version < self._version or (version, change.state) == (self._version, self._state_name):
            return None
        self._version, self._state_name = version, change.state
        self._fruitless = 0
        return change
