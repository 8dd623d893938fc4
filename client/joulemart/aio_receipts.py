"""`client.receipts` of `AsyncClient`: what work used and what of it was renewable, signed."""

import asyncio
import time
from pathlib import Path
from typing import Any

from . import calls, receipts
from .aio_transport import AsyncTransport
from .errors import WaitTimedOut
from .paging import AsyncPager
from .pins import PinnedKeys
from .receipt_objects import EvidenceFile, KeySet, Receipt
from .receipt_resource import POLL_S, verified


class AsyncReceiptResource:
    """Receipts of what the key's organization bought, and of work at its sites."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, **params: Any) -> AsyncPager[Receipt]:
        """The latest version of each, what ended last first; `status`, `subject` and `issued_at__gte` narrow them."""
        return AsyncPager(calls.get(Receipt, "receipts", **params), self._transport.fetch_page)

    async def get(self, receipt_id: str, *, version: int | None = None) -> EvidenceFile:
        """The evidence: all versions as they were signed, or those up to `version`."""
        return await self._transport.fetch(calls.get(EvidenceFile, "receipts", receipt_id, version=version))

    async def pdf(self, receipt_id: str, *, version: int | None = None) -> bytes:
        """The same to read."""
        return (await self._transport.send(calls.receipt_pdf(receipt_id, version))).content

    async def keys(self) -> KeySet:
        """The keys that the marketplace publishes now."""
        return await self._transport.fetch(calls.get(KeySet, "receipts", "keys"))

    async def wait_for(self, subject: str, *, timeout_s: float | None = None) -> EvidenceFile:
        """The receipt of a job or reservation, once there is one. Raises WaitTimedOut."""
        began = time.monotonic()
        while not (found := [each async for each in self.list(subject=subject, limit=1)]):
            if timeout_s is not None and time.monotonic() - began > timeout_s:
                raise WaitTimedOut(f"{subject} has no receipt after {timeout_s:g} s; it comes when the work has ended")
            await asyncio.sleep(POLL_S)
        return await self.get(found[0].id)

    async def verify(self, file: EvidenceFile | bytes | Path, *, keys: bytes | None = None) -> receipts.Outcome:
        """Verify a receipt; `keys` is a key set, else those pinned for this marketplace.

        Where none is pinned yet, those it publishes are asked for and pinned. Raises `receipts.Unreadable`.
        """
        url = self._transport.wire.settings.url
        if keys is None and PinnedKeys().of(url) is None:
            PinnedKeys().meet(url, (await self.keys()).content)
        return await asyncio.to_thread(verified, file, keys=keys, url=url)
