"""Taking a file as a whole or not at all, whatever its kind; and telling what became of it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from accounts.models import Organization
from marketplace.energy.imports.sheets import Faults
from marketplace.energy.models import ImportFile, ImportState


class _Faulty(Exception):
    """Rolls the transaction back once every fault of the file is known."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that was sent: by its digest, what it is, what it is for, and by whom (None: by operators)."""

    sha256: str
    kind: str
    scope: str
    organization: Organization | None
    at: datetime

    @classmethod
    def of(
        cls, data: bytes, *, kind: str, now: datetime, scope: str = "", organization: Organization | None = None
    ) -> "Sent":
        return cls(hashlib.sha256(data).hexdigest(), kind, scope, organization, now)

    def earlier(self) -> ImportFile | None:
        """The import of the same bytes, if there was one."""
        imported = ImportFile.objects.filter(state=ImportState.IMPORTED, kind=self.kind, sha256=self.sha256)
        return imported.filter(scope=self.scope, organization=self.organization).first()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file became: rows written, and hours that were left out since a part of them was missing."""

    rows: int
    incomplete: int = 0


def take_whole(
    *, sent: Sent, faults: Faults, wait: Callable[[], None], take: Callable[[], Taken],
    read: Callable[[], None] | None = None,
) -> ImportFile:  # fmt: skip
    """Have `take` write what the file holds, in one transaction, unless it finds `faults`: then nothing is written.

    The answer's state is then `refused`, `errors` lists the first 100 faults as {line, column, code, detail, hint} and
    `faults` counts them all. The same bytes again give the first import, unchanged. `wait` lets in one
    writer at a time; `read` is done before, where the rows need not be compared with the record while they are read.
    """
    earlier = sent.earlier()
    if earlier:
        return earlier
    if read:
        read()
    try:
        with transaction.atomic():
            wait()
            earlier = sent.earlier()
            if earlier:
                return earlier
            taken = take()
            if faults.count:
                raise _Faulty
            return _record(sent, ImportState.IMPORTED, rows=taken.rows, incomplete=taken.incomplete)
    except _Faulty:
        listed = [asdict(fault) for fault in faults.listed]
        return _record(sent, ImportState.REFUSED, rows=0, faults=faults.count, errors=listed)


def _record(sent: Sent, state: ImportState, **found: object) -> ImportFile:
    return ImportFile.objects.create(
        kind=sent.kind, sha256=sent.sha256, scope=sent.scope, organization=sent.organization, imported_at=sent.at,
        state=state, **found,
    )  # fmt: skip


def told(result: ImportFile) -> Iterator[str]:
    """The faults of a file that was refused, one in a line."""
    for fault in result.errors:
        hint = f" ({fault['hint']})" if fault["hint"] else ""
        yield f"line {fault['line']}, {fault['column']}: {fault['code']}: {fault['detail']}{hint}"
    if result.faults > len(result.errors):
        yield f"… and {result.faults - len(result.errors)} more"
