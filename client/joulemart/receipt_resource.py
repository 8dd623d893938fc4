"""`client.receipts`: what work used and what of it was renewable, signed; and verification, which asks nobody."""

import time
from pathlib import Path
from typing import Any

from . import calls, receipts
from .errors import WaitTimedOut
from .paging import Pager
from .pins import PinnedKeys
from .receipt_objects import EvidenceFile, KeySet, Receipt
from .transport import Transport

POLL_S = 1.0


class ReceiptResource:
    """Receipts of what the key's organization bought, and of work at its sites."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, **params: Any) -> Pager[Receipt]:
        """The latest version of each, what ended last first; `status`, `subject` and `issued_at__gte` narrow them."""
        return Pager(calls.get(Receipt, "receipts", **params), self._transport.fetch_page)

    def get(self, receipt_id: str, *, version: int | None = None) -> EvidenceFile:
        """The evidence: all versions as they were signed, or those up to `version`."""
        return self._transport.fetch(calls.get(EvidenceFile, "receipts", receipt_id, version=version))

    def pdf(self, receipt_id: str, *, version: int | None = None) -> bytes:
        """The same to read."""
        return self._transport.send(calls.receipt_pdf(receipt_id, version)).content

    def keys(self) -> KeySet:
        """The keys that the marketplace publishes now."""
        return self._transport.fetch(calls.get(KeySet, "receipts", "keys"))

    def wait_for(self, subject: str, *, timeout_s: float | None = None) -> EvidenceFile:
        """The receipt of a job or reservation, once there is one. Raises WaitTimedOut."""
        began = time.monotonic()
        while (found := next(iter(self.list(subject=subject, limit=1)), None)) is None:
            if timeout_s is not None and time.monotonic() - began > timeout_s:
                raise WaitTimedOut(f"{subject} has no receipt after {timeout_s:g} s; it comes when the work has ended")
            self._transport.sleep(POLL_S)
        return self.get(found.id)

    def verify(self, file: EvidenceFile | bytes | Path, *, keys: bytes | None = None) -> receipts.Outcome:
        """Verify a receipt without asking anybody; `keys` is a key set, else those pinned for this marketplace.

        Where none is pinned yet, those it publishes are asked for and pinned. Raises `receipts.Unreadable`.
        """
        url = self._transport.wire.settings.url
        if keys is None and PinnedKeys().of(url) is None:
            PinnedKeys().meet(url, self.keys().content)
        return verified(file, keys=keys, url=url)


def verified(file: EvidenceFile | bytes | Path, *, keys: bytes | None, url: str) -> receipts.Outcome:
    """Verify with a key set, else with what is pinned for an address; no network is used."""
    trusted = receipts.read_keys(keys) if keys is not None else PinnedKeys().of(url)
    return receipts.verify(content_of(file), keys=trusted)


def content_of(file: EvidenceFile | bytes | Path) -> bytes:
    """The bytes of a receipt however it is given."""
    if isinstance(file, EvidenceFile):
        return file.content
    return file.read_bytes() if isinstance(file, Path) else file
