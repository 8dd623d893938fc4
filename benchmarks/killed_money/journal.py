"""What a buyer remembers of requests: what is about to be sent, and what was answered. A file outlives its process."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Act:
    """One request that moves money; `key` is its idempotency key, the same however often it is sent."""

    op: str
    path: str
    body: dict[str, Any] | str
    key: str
    secret: str  # of the buyer's API key
    amount: int = 0


class Journal:
    """One line before a request, one after it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, act: Act) -> None:
        """The act is about to be sent."""
        names = ("op", "path", "body", "key", "secret", "amount")
        self._write({"begin": {name: getattr(act, name) for name in names}})

    def end(self, act: Act, status: int) -> None:
        """The act was answered."""
        self._write({"end": act.key, "op": act.op, "status": status, "amount": act.amount})

    def _write(self, line: dict[str, Any]) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, json.dumps(line).encode() + b"\n")
        os.close(handle)

    def lines(self) -> list[dict[str, Any]]:
        """All lines so far."""
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def unanswered(self) -> Act | None:
        """The act that was begun last, unless it was answered."""
        last = next(reversed(self.lines()), {})
        return Act(**last["begin"]) if "begin" in last else None
