"""Running the checks: one read-only snapshot, safe on a live system; and the self-test that breaks a row for each."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from psycopg.errors import QueryCanceled

from config.invariants import books, capacity, green, holds, inside, invoices, records, standing, waits, work
from config.invariants.check import FIRST, Anomaly, Check, Finding

CHECKS: Mapping[str, Check] = {
    each.id: each
    for module in (books, holds, invoices, capacity, inside, standing, waits, work, green, records)
    for each in module.CHECKS
}
LEAST_PATIENCE = timedelta(seconds=10)


class CannotCheck(Exception):
    """The checks could not all be run; nothing is said about the data but by those that were, `findings`."""

    def __init__(self, why: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(why)
        self.findings = findings


def chosen(ids: Iterable[str]) -> list[Check]:
    """The checks named, all when none is. Raises CannotCheck for a name without a check."""
    names = list(ids)
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise CannotCheck(f"there is no check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    return [CHECKS[name] for name in names] or list(CHECKS.values())


def patience(sweep_seconds: int) -> timedelta:
    """How long a sweep may be late: two sweeps, at least ten seconds."""
    return max(LEAST_PATIENCE, timedelta(seconds=2 * sweep_seconds))


def verify(
    checks: Sequence[Check], *, late: timedelta, within: timedelta | None = None
) -> tuple[datetime, list[Finding]]:
    """(the moment of the snapshot, a finding per check). Writes nothing.

    Raises CannotCheck, also when the checks take longer than `within`.
    """
    if connection.in_atomic_block:
        raise CannotCheck("the checks need a transaction of their own")
    until = None if within is None else time.monotonic() + within.total_seconds()
    findings: list[Finding] = []
    try:
        with transaction.atomic():
            _one("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            checked_at: datetime = _rows("SELECT transaction_timestamp()")[0][0]
            for check in checks:
                findings.append(run(check, late=late, until=until))
    except DatabaseError as error:
        if isinstance(error.__cause__, QueryCanceled) and within is not None:
            slow = checks[len(findings)].id
            raise CannotCheck(f"{slow} was not done within {within.total_seconds():.0f} s", findings) from error
        raise CannotCheck(str(error).strip(), findings) from error
    return checked_at, findings


def run(check: Check, *, late: timedelta, until: float | None = None) -> Finding:
    """Run one check in the transaction that is open; the database ends a query that goes on after `until`."""
    started = time.perf_counter()
    rows = int(_rows(check.rows, until=until)[0][0])
    broken = [row for query in check.queries for row in _rows(query, {"patience": late}, until=until)]
    return Finding(
        id=check.id,
        rows=rows,
        ms=round((time.perf_counter() - started) * 1000),
        anomalies_total=len(broken),
        anomalies=[Anomaly(*map(str, row)) for row in broken[:FIRST]],
    )


def self_test(checks: Sequence[Check], *, late: timedelta) -> list[str]:
    """The ids of checks that stayed silent although one row of theirs was broken; everything is rolled back.

    Needs a superuser (triggers are off) and a row for each check; raises CannotCheck otherwise.
    """
    return [check.id for check in checks if not _notices(check, late)]


def _notices(check: Check, late: timedelta) -> bool:
    """Whether the check reports more anomalies once one of its rows is broken."""
    try:
        with transaction.atomic():
            before = run(check, late=late).anomalies_total
            _one("SET LOCAL session_replication_role = replica")
            changed = [_one(statement) for statement in check.corrupt][-1]
            after = run(check, late=late).anomalies_total
            transaction.set_rollback(True)
    except DatabaseError as error:
        raise CannotCheck(f"{check.id} could not be tested: {str(error).strip()}") from error
    if changed < 1:
        raise CannotCheck(f"{check.id} could not be tested: there is no row to break")
    return after > before


def _one(statement: str) -> int:
    """Run one statement; the number of rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.rowcount)


def _rows(query: str, values: Mapping[str, Any] | None = None, *, until: float | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        if until is not None:
            left = max(1, round((until - time.monotonic()) * 1000))
            cursor.execute(f"SET LOCAL statement_timeout = {left}")
        cursor.execute(query, values)
        return list(cursor.fetchall())
