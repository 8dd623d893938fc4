"""Server-sent events, read incrementally: bytes in, whole events out (WHATWG HTML, section 9.2.6)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerSentEvent:
    """One dispatched event. `id` is the last id the stream named, on this event or before it."""

    event: str
    data: str
    id: str


class SseParser:
    """Feed it the bytes of one connection in any pieces. An event cut by the end of the bytes is never given out."""

    def __init__(self, last_event_id: str = "") -> None:
        self._id = last_event_id
        self._buffer = b""
        self._at_start = True
        self._after_cr = False
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events completed by `chunk`."""
        events = []
        for line in self._lines(chunk):
            if line:
                self._field(line)
            elif self._data:
                events.append(ServerSentEvent(self._event or "message", "\n".join(self._data), self._id))
                self._event, self._data = "", []
            else:
                self._event = ""
        return events

    def _lines(self, chunk: bytes) -> list[str]:
        """Whole lines, ended by CR LF, LF or CR, even where a chunk ends between CR and LF."""
        if not chunk:
            return []
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        *whole, self._buffer = (self._buffer + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        lines = [line.decode("utf-8", "replace") for line in whole]
        if lines and self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix("\ufeff")
        return lines

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
