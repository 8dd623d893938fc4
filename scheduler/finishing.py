"""An agent's last word on an attempt: usage, outputs and the end, in one transaction."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import ApiKey
from marketplace.common.errors import FieldProblem, ValidationFailed
from scheduler.attempts import end_attempt, mark_running
from scheduler.errors import LeaseFenced
from scheduler.leases import hold
from scheduler.models import Artifact, Job, Lease
from scheduler.stopping import ended_as
from scheduler.usage import UsageLine, record_usage, usage_line

# Ends that only the market may declare.
MARKETS_OWN = frozenset({"lease_lost"})
NEVER_RAN = frozenset({"image_failed", "input_missing"})


@transaction.atomic
def finish(*, public_id: str, key: ApiKey, report: dict[str, Any], now: datetime) -> Job:
    """End the attempt as the agent reports; the same report again changes nothing.

    Raises LeaseFenced when the lease was lost, ValidationFailed for outputs whose bytes never came.
    """
    done = _already(public_id, key, report)
    if done is not None:
        return done
    lease = hold(public_id, report["epoch"], key)
    attempt = lease.attempt
    reason, message = _end(lease, report)
    if reason in MARKETS_OWN:
        raise ValidationFailed([FieldProblem("/reason", "bad_value", f"{reason} is for the market to say")])
    _require_outputs(lease, report["outputs"])
    for line in _usage_lines(report["usage"]):
        if reason not in NEVER_RAN:
            ran = timedelta(milliseconds=max(0, line.facts["milliseconds"]))
            mark_running(attempt=attempt, now=now, since=max(lease.granted_at, now - ran))
            record_usage(lease=lease, line=line, now=now)
    return end_attempt(attempt=attempt, reason=reason, now=now, message=message, exit_code=report["exit_code"])


def _end(lease: Lease, report: dict[str, Any]) -> tuple[str, str]:
    """Reason and message of the end."""
    ran = [line.facts["milliseconds"] // 1000 for line in _usage_lines(report["usage"])]
    return ended_as(lease, report["reason"], report["message"], ran_s=max(ran, default=None))


def _usage_lines(raw_lines: list[dict[str, str]]) -> list[UsageLine]:
    return [usage_line(raw, f"/usage/{number}/line") for number, raw in enumerate(raw_lines)]


def _already(public_id: str, key: ApiKey, report: dict[str, Any]) -> Job | None:
    lease = (
        Lease.objects.filter(public_id=public_id, agent__api_key=key, epoch=report["epoch"], ended_at__isnull=False)
        .select_related("attempt__job", "attempt__allocation__reservation")
        .first()
    )
    if lease is None:
        return None
    if lease.attempt.reason != _end(lease, report)[0]:
        raise LeaseFenced(lease=public_id, epoch=report["epoch"])
    return lease.attempt.job


def _require_outputs(lease: Lease, outputs: list[dict[str, Any]]) -> None:
    stored = set(
        Artifact.objects.filter(attempt=lease.attempt, stored_at__isnull=False).values_list("public_id", flat=True)
    )
    missing = [
        FieldProblem(f"/outputs/{number}", "bad_value", f"the bytes of {output['path']} have not arrived")
        for number, output in enumerate(outputs)
        if output["artifact"] not in stored
    ]
    if missing:
        raise ValidationFailed(missing)
