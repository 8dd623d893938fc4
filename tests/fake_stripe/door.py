"""The HTTP server: keys, accounts, idempotency, error bodies, and calls that go wrong."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from django.db import connections, transaction

from marketplace.ledger.gateways.faults import CallFault, Dice
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused
from marketplace.ledger.gateways.sandbox_engine.requests import once
from marketplace.ledger.gateways.sandbox_engine.shapes import Shape, plain
from marketplace.ledger.gateways.sandbox_models import SandboxPayee
from tests.fake_stripe.forms import read_form
from tests.fake_stripe.routes import Ask, found

KEY = "sk_test_of_the_tests"
HANG_S = 3.0  # longer than the patience of whoever waits for it


class Door(ThreadingHTTPServer):
    """`scripted` are the next answers, (status, headers, body), whatever is asked; `seen` are the requests."""

    daemon_threads = True

    def __init__(self, *, clock: Callable[[], datetime], dice: Dice) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.clock, self.dice = clock, dice
        self.scripted: deque[tuple[int, dict[str, str], bytes]] = deque()
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def open_door(*, clock: Callable[[], datetime], dice: Dice) -> Iterator[Door]:
    """A door that is served until the end."""
    door = Door(clock=clock, dice=dice)
    thread = Thread(target=door.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        door.shutdown()
        door.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """One request, in a thread with a database connection of its own."""

    server: Door

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._serve(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def _serve(self, parameters: str) -> None:
        self.server.seen.append((self.command, urlsplit(self.path).path, dict(self.headers.items())))
        if self.server.scripted:
            self._send(*self.server.scripted.popleft())
            return
        try:
            self._serve_with(self.server.dice.call(), parameters)
        finally:
            connections.close_all()

    def _serve_with(self, fault: CallFault | None, parameters: str) -> None:
        if fault is None or fault.took_effect:
            status, body = self._outcome(parameters)
        if fault is None:
            self._send(status, {}, json.dumps(body).encode())
        elif fault.kind == "timeout":
            time.sleep(HANG_S)
        else:
            self._send(500, {}, b'{"error": {"type": "api_error", "message": "An unknown error occurred"}}')

    def _outcome(self, parameters: str) -> tuple[int, Shape]:
        try:
            self._check_sender()
            return 200, self._answer(parameters)
        except Refused as refusal:
            told = {name: value for name, value in refusal.error.items() if value}
            return refusal.status, {"error": told}

    def _check_sender(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            raise Refused("Invalid API Key provided", status=401, kept=False)
        account = self.headers.get("Stripe-Account")
        if account and not SandboxPayee.objects.filter(public_id=account).exists():
            raise Refused(f"The key has no access to {account}", status=403, code="account_invalid", kept=False)

    def _answer(self, parameters: str) -> Shape:
        path = urlsplit(self.path).path
        act, names = found(self.command, path)
        form = read_form(parameters)
        ask = Ask(path, names, form, self.server.clock(), self.server.dice)
        if self.command == "GET":
            shape = act(ask)
            return shape if shape["object"] in {"list", "search_result"} else plain(shape, form.get("expand", ()))
        if self.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            raise Refused("Bodies are forms.", kept=False)
        key = self.headers.get("Idempotency-Key")
        if not key:
            with transaction.atomic(durable=True):
                return plain(act(ask), form.get("expand", ()))
        return once(
            key=key, op=f"{self.command} {path}", params=form, now=ask.now,
            act=lambda: plain(act(ask), form.get("expand", ())),
        )  # fmt: skip

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Request-Id": "req_of_the_tests", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
