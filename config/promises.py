"""The checker each minute: what it finds is kept for a day, told when it changes, and shown to whoever asks."""

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from config.invariants.check import Finding
from config.invariants.running import CHECKS, CannotCheck, patience, verify
from marketplace.events.models import InvariantRun
from marketplace.events.services import record

log = logging.getLogger(__name__)
WITHIN = timedelta(seconds=20)
KEPT_FOR = timedelta(days=1)
PROMISES_LOCK = 7_300_414  # any number of ours: one process at a time checks


def check_promises(*, now: datetime, within: timedelta = WITHIN) -> InvariantRun | None:
    """Run every check in one snapshot and keep what it found; nothing when another process is at it.

    What was not checked in time is never said to hold: the run is `unknown`, or `broken` by what was found until then.
    """
    if not _ask("SELECT pg_try_advisory_lock(%s)"):
        return None
    try:
        return _keep(now, within)
    finally:
        _ask("SELECT pg_advisory_unlock(%s)")


def _keep(now: datetime, within: timedelta) -> InvariantRun:
    started, note = time.monotonic(), ""
    try:
        _, findings = verify(list(CHECKS.values()), late=patience(settings.SWEEP_SECONDS), within=within)
    except CannotCheck as error:
        note, findings = str(error)[:300], list(error.findings)
    took = timedelta(seconds=time.monotonic() - started)
    before = InvariantRun.objects.newest()
    with transaction.atomic():
        run = InvariantRun.objects.create(
            finished_at=now + took, outcome=outcome_of(findings, note), ms=round(took.total_seconds() * 1000),
            note=note, findings=[as_kept(each) for each in findings],
        )  # fmt: skip
        InvariantRun.objects.older_than(now - KEPT_FOR).delete()
        if run.outcome != (before.outcome if before else InvariantRun.KEPT):
            facts = {"checks": [each["id"] for each in run.broken], "note": note}
            record(f"promises.{run.outcome}", object_id=run.public_id, seq=1, now=now, facts=facts)
    _tell(run)
    return run


def outcome_of(findings: list[Finding], note: str) -> str:
    """Broken by anything found; unknown when not everything was looked at; kept otherwise."""
    if any(each.anomalies_total for each in findings):
        return InvariantRun.BROKEN
    return InvariantRun.UNKNOWN if note else InvariantRun.KEPT


def as_kept(finding: Finding) -> dict[str, Any]:
    """The finding as its row keeps it, with the words of its promise."""
    return {**finding.as_json(), "promise": CHECKS[finding.id].promise}


def _tell(run: InvariantRun) -> None:
    for each in run.broken:
        first = each["anomalies"][0]
        log.error(
            "promise %s is broken: %s; %s rows, first %s: expected %s, found %s", each["id"], each["promise"],
            each["anomalies_total"], first["key"], first["expected"], first["found"],
        )  # fmt: skip
    if run.note:
        log.warning("the promises could not all be checked: %s", run.note)


def _ask(question: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, [PROMISES_LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])
