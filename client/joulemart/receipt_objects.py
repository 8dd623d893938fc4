"""Green receipts as the API lists them, their evidence files, and the keys that signed them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .objects import Record


@dataclass(frozen=True, kw_only=True)
class Named(Record):
    """Something with an id and a name; to a provider a buyer has no name."""

    id: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject(Record):
    """What was receipted: a job or a reservation."""

    kind: str = ""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Receipt(Record):
    """The latest version of a receipt. `totals` are Wh and µg, `shares` ppm: matched, blended and grid, never added.

    `excerpt` is true for a provider, who sees its own sites alone.
    """

    id: str
    version: int = 0
    status: str = ""
    settled: bool = False
    sample: bool = False
    excerpt: bool = False
    subject: Subject = field(default_factory=Subject)
    buyer: Named = field(default_factory=Named)
    sites: tuple[Named, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    issued_at: datetime | None = None
    totals: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    measured_ppm: int = 0
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class EvidenceFile(Record):
    """A receipt as it is kept: every version with its signature; `joulemart.receipts.verify` reads its `content`."""

    receipt: str = ""
    versions: tuple[Mapping[str, Any], ...] = ()

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return json.dumps(self.raw, ensure_ascii=False).encode()

    @property
    def payload(self) -> Mapping[str, Any]:
        """What the last version says."""
        payload: Mapping[str, Any] = self.versions[-1]["payload"]
        return payload


@dataclass(frozen=True, kw_only=True)
class KeySet(Record):
    """The public keys of a marketplace's receipts (RFC 7517)."""

    keys: tuple[Mapping[str, Any], ...] = ()

    @property
    def content(self) -> bytes:
        """The set as `joulemart.receipts.read_keys` reads it."""
        return json.dumps(self.raw, ensure_ascii=False).encode()
