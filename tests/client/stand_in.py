"""A marketplace in a thread: answers what a test scripts, over real sockets, and remembers what it was asked."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "jm_test_0123456789abcdefghijkl"


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer; `cut` closes the connection instead."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    def bytes(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()


CUT = Answer(cut=True)
Script = Callable[["Exchange", Seen], None]


def problem(status: int, code: str, detail: str = "", headers: dict[str, str] | None = None, **more: Any) -> Answer:
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail, **more}
    return Answer(body, status, {"Content-Type": "application/problem+json", **(headers or {})})


class StandIn:
    """Routes by (method, path below /api/v1); answers queue up and the last one repeats."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._routes: dict[tuple[str, str], list[Answer | Script]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _exchange_with(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def on(self, method: str, path: str, *answers: Answer | Script) -> None:
        self._routes[method, path] = list(answers)

    def next_answer(self, seen: Seen) -> Answer | Script:
        with self._lock:
            self.seen.append(seen)
            queue = self._routes.get((seen.method, seen.path))
            if not queue:
                return problem(404, "not_found", f"no such path {seen.path}")
            return queue.pop(0) if len(queue) > 1 else queue[0]

    def asked(self, method: str, path: str) -> list[Seen]:
        return [seen for seen in self.seen if (seen.method, seen.path) == (method, path)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Exchange(BaseHTTPRequestHandler):
    """One connection of the stand-in."""

    protocol_version = "HTTP/1.1"
    market: StandIn

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def answer(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = split.path.removeprefix("/api/v1")
        seen = Seen(self.command, path, parse_qsl(split.query, keep_blank_values=True), headers, body)
        scripted = self.market.next_answer(seen)
        if not isinstance(scripted, Answer):
            scripted(self, seen)
        elif scripted.cut:
            self.cut()
        else:
            self.send(scripted)

    def send(self, answer: Answer) -> None:
        content = answer.bytes()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def begin_stream(self) -> None:
        """Headers of an event stream whose end is the end of the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def cut(self) -> None:
        """Drop the connection at once."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _exchange_with(market: StandIn) -> type[Exchange]:
    verbs = {f"do_{verb}": Exchange.answer for verb in ("GET", "POST", "PATCH", "DELETE")}
    return type("BoundExchange", (Exchange,), {"market": market, **verbs})


def event(name: str, data: Any, event_id: str = "") -> bytes:
    """One server-sent event."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def stream(*pieces: bytes) -> Script:
    """A stream of fixed bytes that then ends."""

    def script(exchange: Exchange, seen: Seen) -> None:
        exchange.begin_stream()
        for piece in pieces:
            exchange.wfile.write(piece)
            exchange.wfile.flush()

    return script
