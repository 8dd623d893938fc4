"""A stand-in for the marketplace: the agent protocol, its leases, epochs and checks, in this process."""

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY = "jm_test_agentkey"
PATIENCE_S = 20.0
LIMITS = {
    "time_limit_s": 30,
    "units": 1,
    "cpus": 1,
    "memory_mb": 512,
    "disk_mb": 64,
    "pids": 64,
    "log_bytes": 200_000,
    "output_bytes": 1_000_000,
}
SPEC = {
    "run": "true",
    "setup": None,
    "env": {},
    "image": None,
    "network": "none",
    "outputs": [],
    "checkpoint": None,
}


@dataclass
class Work:
    """One lease and everything the agent said about it."""

    body: dict[str, Any]
    claimed: bool = False
    renewed: float = 0.0
    beats: list[dict[str, Any]] = field(default_factory=list)
    log: bytes = b""
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    finish: dict[str, Any] | None = None
    finishes: int = 0
    unheard: int = 0
    cancel: dict[str, Any] | None = None
    usage_due: bool = False
    time_limit_s: int | None = None
    fenced: bool = False
    refusals: int = 0

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def text(self) -> str:
        return self.log.decode("utf-8", "replace")

    @property
    def usage(self) -> dict[str, Any]:
        assert self.finish is not None
        return json.loads(self.finish["usage"][0]["line"])

    @property
    def told(self) -> list[dict[str, Any]]:
        """What heartbeats said under a signature while it ran."""
        return [json.loads(beat["signed"]["line"]) for beat in self.beats if beat.get("signed")]


class Refusal(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Lost(Exception):
    """The call was done, and its answer never arrives."""


class Marketplace:
    """Give it work with `offer`, wait for what happens with `until`; `cut` takes the network away."""

    def __init__(self, *, lease_s: float = 10.0, heartbeat_s: float = 0.5) -> None:
        self.token = secrets.token_hex(4)  # control groups are named after leases: two stand-ins must not share one
        self.lease_s, self.heartbeat_s = lease_s, heartbeat_s
        self.changed = threading.Condition(threading.RLock())
        self.works: dict[str, Work] = {}
        self.inputs: dict[str, bytes] = {}
        self.registrations: list[dict[str, Any]] = []
        self.cut = False
        self.lose_next_leases = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("HandlerOfOne", (Handler,), {"market": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def offer(self, run: str, *, inputs: dict[str, bytes] | None = None, unheard: int = 0, **given: Any) -> Work:
        """Queue work, its first `unheard` finishes to fail; `given` are fields of the spec, the limits or the lease."""
        number = len(self.works) + 1
        spec = {**SPEC, "run": run}
        rows = []
        for path, content in (inputs or {}).items():
            self.inputs[f"/files/in-{number}-{len(rows)}"] = content
            rows.append(
                {
                    "path": path,
                    "url": f"/files/in-{number}-{len(rows)}",
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
            )
        body = {
            "id": f"lse_{self.token}{number}",
            "epoch": 1,
            "attempt": f"att_{number}",
            "job": f"job_{number}",
            "number": 1,
            "name": f"work-{number}",
            "lease_s": self.lease_s,
            "heartbeat_s": self.heartbeat_s,
            "spec": spec,
            "inputs": rows,
            "limits": dict(LIMITS),
            "power": {"idle_w": 90, "max_w": 700, "pue_ppm": 1_200_000},
        }
        for name, value in given.items():
            target = spec if name in spec else body["limits"] if name in LIMITS or name == "longest_s" else body
            target[name] = value
        work = Work(body=body, unheard=unheard)
        with self.changed:
            self.works[work.id] = work
            self.changed.notify_all()
        return work

    def until(self, claim: Callable[[], Any], what: str, *, seconds: float = PATIENCE_S) -> None:
        """Wait until `claim` holds; it may also look at files, which wake nobody."""
        until = time.monotonic() + seconds
        with self.changed:
            while not claim():
                assert time.monotonic() < until, f"waited in vain until {what}"
                self.changed.wait(0.05)

    def until_ended(self, work: Work) -> dict[str, Any]:
        self.until(lambda: work.finish is not None, f"{work.id} ends; its log: {work.text!r}")
        assert work.finish is not None
        return work.finish

    # The calls of the protocol; each runs under the lock.

    def register(self, body: dict[str, Any]) -> dict[str, Any]:
        self.registrations.append(body)
        return {
            "agent": "agt_1",
            "site": "sit_1",
            "site_name": "Test hall",
            "intervals": {"lease_s": self.lease_s, "heartbeat_s": self.heartbeat_s, "poll_s": 20},
            "clock_skew_s": body["clock"] - time.time(),
        }

    def leases(self, body: dict[str, Any]) -> dict[str, Any]:
        def waiting() -> list[Work]:
            return [work for work in self.works.values() if not work.claimed or unheard(work)]

        def unheard(work: Work) -> bool:
            return not work.beats and work.id not in body["holds"] and not work.fenced

        self.changed.wait_for(waiting, min(float(body["wait_s"]), 25))
        given = [] if self.cut else waiting()[: int(body["max"])]
        for work in given:
            work.claimed, work.renewed = True, time.monotonic()
        if given and self.lose_next_leases:
            self.lose_next_leases -= 1
            raise Lost
        return {"leases": [work.body for work in given]}

    def heartbeat(self, work: Work, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("signed"):
            self._verify([body["signed"]])
        work.renewed = time.monotonic()
        work.beats.append(body)
        answer = {"lease_s": self.lease_s, "cancel": work.cancel, "notice": None, "usage_due": work.usage_due}
        return answer | ({"time_limit_s": work.time_limit_s} if work.time_limit_s else {})

    def append(self, work: Work, body: dict[str, Any]) -> dict[str, Any]:
        data = base64.b64decode(body["data"], validate=True)
        if len(data) > 64 * 1024:
            raise Refusal(413, "chunk_too_large")
        known = len(work.log) - body["offset"]
        if known >= 0:
            work.log += data[known:]
        return {"offset": len(work.log), "quota_exceeded": len(work.log) >= work.body["limits"]["log_bytes"]}

    def declare(self, work: Work, body: dict[str, Any]) -> dict[str, Any]:
        work.outputs[body["path"]] = body
        return {"artifact": f"art_{len(work.outputs)}", "url": f"/files/{work.id}/{body['path']}", "method": "PUT"}

    def put(self, path: str, content: bytes) -> None:
        lease_id, _, name = path.removeprefix("/files/").partition("/")
        declared = self.works[lease_id].outputs[name]
        if len(content) != declared["size"] or hashlib.sha256(content).hexdigest() != declared["sha256"]:
            raise Refusal(422, "hash_mismatch")
        self.works[lease_id].files[name] = content

    def end(self, work: Work, body: dict[str, Any]) -> dict[str, Any]:
        work.finishes += 1
        if work.finishes <= work.unheard:
            raise Refusal(503, "unavailable")
        if work.finish is None:
            self._verify(body["usage"])
            work.finish = body
        elif work.finish != body:
            raise Refusal(409, "finished_otherwise")
        return {"state": "ended"}

    def _verify(self, rows: list[dict[str, str]]) -> None:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.registrations[-1]["public_key"]))
        for row in rows:
            try:
                key.verify(base64.b64decode(row["signature"]), row["line"].encode())
            except InvalidSignature as error:
                raise Refusal(422, "bad_signature") from error

    def lease_of(self, lease_id: str, body: dict[str, Any], *, finishing: bool) -> Work:
        """The lease if it is alive under the epoch that the agent names."""
        work = self.works.get(lease_id)
        if work is None:
            raise Refusal(404, "not_found")
        over = time.monotonic() - work.renewed > self.lease_s or (work.finish is not None and not finishing)
        if work.fenced or over or body["epoch"] != work.body["epoch"]:
            work.refusals += 1
            raise Refusal(412, "lease_fenced")
        return work


class Handler(BaseHTTPRequestHandler):
    """HTTP around the calls of a `Marketplace`."""

    protocol_version = "HTTP/1.1"
    market: Marketplace

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self._answer(401, {"code": "key_invalid", "detail": "This key is not known."})
            return
        self._guarded(lambda: (201 if self.path.endswith("/outputs") else 200, self._call(body)))

    def do_GET(self) -> None:
        content = self.market.inputs.get(self.path)
        if self.market.cut or content is None:
            self._guarded(self._missing)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self._guarded(lambda: (200, self.market.put(self.path, content)))

    def _missing(self) -> tuple[int, Any]:
        raise Refusal(404, "not_found")

    def _call(self, body: dict[str, Any]) -> Any:
        parts = self.path.removeprefix("/api/v1/agent/").split("/")
        if parts[0] == "register":
            return self.market.register(body)
        if len(parts) == 1:
            return self.market.leases(body)
        calls = {
            "heartbeat": self.market.heartbeat,
            "log": self.market.append,
            "outputs": self.market.declare,
            "finish": self.market.end,
        }
        return calls[parts[2]](self.market.lease_of(parts[1], body, finishing=parts[2] == "finish"), body)

    def _guarded(self, call: Callable[[], tuple[int, Any]]) -> None:
        with self.market.changed:
            if self.market.cut:
                self.close_connection = True
                self.connection.close()
                return
            try:
                status, answer = call()
            except Refusal as refusal:
                status, answer = refusal.status, {"code": refusal.code, "detail": f"No: {refusal.code}."}
            except Lost:
                self.close_connection = True
                self.connection.close()
                return
            self.market.changed.notify_all()
            cut = self.market.cut
        if not cut:
            self._answer(status, answer)

    def _answer(self, status: int, answer: Any) -> None:
        with contextlib.suppress(ConnectionError):  # an agent that was killed does not listen
            self._write(status, json.dumps(answer).encode())

    def _write(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
