"""Which keys a marketplace signs receipts with, remembered from the first time it was met.

Keys that change or vanish afterwards are told, and nothing is forgotten or added before the user says so.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .config import login_path
from .errors import ConfigError
from .receipts import Unreadable, read_keys

FILE = "receipt_keys.json"


@dataclass(frozen=True)
class Change:
    """How the keys that a marketplace shows differ from those it was met with; `first`: it was not met before."""

    first: bool = False
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.gone)


class PinnedKeys:
    """The file beside the login file, readable by its owner alone: {address: key set}."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.path = login_path(environ).with_name(FILE)

    def of(self, url: str) -> dict[str, bytes] | None:
        """The keys pinned for an address; None where it was never met. Raises ConfigError."""
        pinned = self._read().get(url)
        return None if pinned is None else self._keys(pinned)

    def meet(self, url: str, key_set: bytes) -> Change:
        """Pin the keys of an address that is met for the first time and has some; else only say what has changed."""
        before, shown = self.of(url), read_keys(key_set)
        if before is None and shown:
            self.trust(url, key_set)
            return Change(first=True)
        before = before or {}
        return Change(new=tuple(sorted(set(shown) - set(before))), gone=tuple(sorted(set(before) - set(shown))))

    def trust(self, url: str, key_set: bytes) -> None:
        """Pin what an address shows now, in place of what was pinned for it. Raises Unreadable."""
        read_keys(key_set)
        self._write(self._read() | {url: json.loads(key_set)})

    def _keys(self, key_set: Any) -> dict[str, bytes]:
        try:
            return read_keys(json.dumps(key_set).encode())
        except Unreadable as error:
            raise self._broken(error) from error

    def _read(self) -> dict[str, Any]:
        try:
            found: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise self._broken(error) from error
        if not isinstance(found, dict):
            raise self._broken("it is no object")
        return found

    def _write(self, pinned: Mapping[str, Any]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(pinned, file, indent=2)
        temporary.replace(self.path)

    def _broken(self, reason: object) -> ConfigError:
        return ConfigError(f"{self.path} cannot be read ({reason}): remove it to meet each marketplace anew")
