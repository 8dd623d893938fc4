"""What the agent must not forget: its keys, the leases it holds, and the ends not yet told."""

import base64
import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.wire import Lease, parse_lease

SCHEMA = """
CREATE TABLE IF NOT EXISTS own_key (kind TEXT PRIMARY KEY, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS held_lease (
    id TEXT PRIMARY KEY,
    slot INTEGER NOT NULL UNIQUE,
    body TEXT NOT NULL,
    finish TEXT
);
"""


class StateFailed(Exception):
    """The file could not be written, for want of space most likely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease this agent holds: its slot, and the end to tell once there is one. The engine knows the rest."""

    lease: Lease
    slot: int
    finish: dict[str, Any] | None


class State:
    """The agent's SQLite file; safe to call from every thread, durable when a call returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        file = folder / "agent.sqlite3"
        file.touch(mode=0o600)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)
        self.signing_key = Ed25519PrivateKey.from_private_bytes(
            self._own("signing", Ed25519PrivateKey.generate().private_bytes_raw())
        )
        self.sealing_key = X25519PrivateKey.from_private_bytes(
            self._own("sealing", X25519PrivateKey.generate().private_bytes_raw())
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def public_keys(self) -> dict[str, str]:
        """Base64 of the raw public keys, named as `register` names them."""
        raw = {
            "public_key": self.signing_key.public_key().public_bytes_raw(),
            "sealing_key": self.sealing_key.public_key().public_bytes_raw(),
        }
        return {name: base64.b64encode(key).decode("ascii") for name, key in raw.items()}

    def hold(self, lease: Lease, body: Mapping[str, Any], *, slot: int) -> bool:
        """Remember a new lease; False where it is held already. Raises StateFailed."""
        statement = "INSERT INTO held_lease (id, slot, body) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
        return self._write(statement, (lease.id, slot, json.dumps(body))) == 1

    def keep_finish(self, lease_id: str, finish: Mapping[str, Any]) -> None:
        """Remember the end of an attempt until the marketplace has taken it. Raises StateFailed."""
        self._write("UPDATE held_lease SET finish = ? WHERE id = ?", (json.dumps(finish), lease_id))

    def drop(self, lease_id: str) -> None:
        """Forget a lease that is over."""
        self._write("DELETE FROM held_lease WHERE id = ?", (lease_id,))

    def held(self) -> list[Held]:
        """All leases, as they stand."""
        with self._lock:
            rows = self._db.execute("SELECT slot, body, finish FROM held_lease ORDER BY slot").fetchall()
        return [
            Held(
                lease=parse_lease(json.loads(body)),
                slot=slot,
                finish=json.loads(finish) if finish else None,
            )
            for slot, body, finish in rows
        ]

    def _own(self, kind: str, fresh: bytes) -> bytes:
        with self._lock:
            self._db.execute(
                "INSERT INTO own_key (kind, raw) VALUES (?, ?) ON CONFLICT (kind) DO NOTHING", (kind, fresh)
            )
            row: tuple[bytes] = self._db.execute("SELECT raw FROM own_key WHERE kind = ?", (kind,)).fetchone()
        return row[0]

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        try:
            with self._lock:
                return self._db.execute(statement, values).rowcount
        except sqlite3.OperationalError as error:
            raise StateFailed(str(error)) from error
