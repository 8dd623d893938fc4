"""The agents' side: who may run what, until when. Only the database's clock ends a lease."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DurationField, ExpressionWrapper, Q, QuerySet, Sum, Value

from accounts.models import ApiKey
from marketplace.catalog.models import Offer, Site
from marketplace.catalog.services import pause_offer
from marketplace.common.errors import NotFound
from scheduler.attempts import bring_forward, end_attempt, mark_running, move_attempt, move_job
from scheduler.errors import LeaseFenced
from scheduler.models import Agent, Attempt, Lease
from scheduler.pieces import stop_of
from scheduler.preempting import room_for
from scheduler.querysets import ClockTimestamp
from scheduler.shards import Shard, group_of
from scheduler.states import JOB
from scheduler.stopping import bought_s
from scheduler.usage import record_usage, usage_due, usage_line

LEASES_WITHOUT_START = 3
SEEN_EVERY = timedelta(seconds=1)


def sites_of(key: ApiKey) -> QuerySet[Site]:
    """The sites whose work the key may pull: its own; in the sample market this machine stands in for every site."""
    sites = Q(public_id=key.site)
    if Site.objects.filter(public_id=key.site, sample=True, this_machine=True).exists():
        sites |= Q(sample=True)
    return Site.objects.filter(sites)


@transaction.atomic
def register_agent(*, key: ApiKey, facts: dict[str, Any], now: datetime) -> Agent:
    """Write down who the agent is and what it found; offers that promise more than its devices are paused."""
    site = Site.objects.filter(public_id=key.site, provider=key.organization).first()
    if site is None:
        raise NotFound("this key belongs to no site", hint="issue an agent key from the site's page")
    known = {
        "api_key": key, "engine": facts["engine"], "agent_version": facts["version"], "platform": facts["platform"],
        "devices": facts["devices"], "units": facts["units"], "public_key": facts["public_key"],
        "sealing_key": facts["sealing_key"], "last_seen_at": now,
        "clock_skew_ms": round((facts["clock"] - now.timestamp()) * 1000),
    }  # fmt: skip
    agent, _ = Agent.objects.update_or_create(
        site=site, name=facts["name"], defaults=known, create_defaults=known | {"registered_at": now}
    )
    _pause_overstated(site, facts["devices"], now)
    there = Offer.objects.live().values_list("hardware__family", "site__country").distinct()
    for shard in sorted({Shard(family, group_of(country)) for family, country in there}):
        bring_forward(shard, now)  # sites that had no agent have one now
    return agent


def _pause_overstated(site: Site, devices: Sequence[dict[str, Any]], now: datetime) -> None:
    """An offer of processors may not promise more units than the agent found."""
    if site.sample and not site.this_machine:
        return
    found = sum(device["count"] for device in devices if device["kind"] == "cpu")
    for offer in Offer.objects.live().filter(site=site, hardware__family="cpu", units__gt=found).with_shelf():
        reason = f"the agent found {found} processors, the offer promises {offer.units}"
        pause_offer(offer=offer, now=now, reason=reason)


def note_seen(*, agent: Agent, now: datetime) -> None:
    """The agent lives. At most once a second, outside any other transaction: else all its calls queue at this row."""
    Agent.objects.filter(pk=agent.pk, last_seen_at__lt=now - SEEN_EVERY).update(last_seen_at=now)


@transaction.atomic
def claim_leases(*, agent: Agent, most: int, now: datetime, holds: Collection[str] = ()) -> list[Lease]:
    """Give `agent` up to `most` attempts whose start has come, as far as its own units go.

    First come those it was given already in an answer that never arrived: never heard of, and not among those it
    `holds` (public ids). They keep their epoch and run out when they would have.
    """
    lost = Lease.objects.unheard().filter(agent=agent).exclude(public_id__in=holds)
    missed = list(lost.select_related("attempt__job", "attempt__allocation__offer__hardware")[:most])
    return missed or _claim_new(agent, most, now)


def _claim_new(agent: Agent, most: int, now: datetime) -> list[Lease]:
    free = agent.units - units_in_use(agent)
    ready = (
        Attempt.objects.claimable_at(sites_of(agent.api_key), now)
        .select_related("job__buyer", "allocation__offer__site__provider", "allocation__offer__hardware")
        .select_for_update(skip_locked=True, of=("self",))
    )
    leases: list[Lease] = []
    for attempt in ready[: 4 * most]:
        if len(leases) == most:
            break
        if attempt.allocation.units <= free and room_for(attempt, now):
            free -= attempt.allocation.units
            leases.append(_grant(agent, attempt, now))
    return leases


def units_in_use(agent: Agent) -> int:
    """Units of the leases that `agent` holds now."""
    held = Lease.objects.live().filter(agent=agent)
    return held.aggregate(units=Sum("attempt__allocation__units"))["units"] or 0


def _grant(agent: Agent, attempt: Attempt, now: datetime) -> Lease:
    last = attempt.leases.order_by("-epoch").values_list("epoch", flat=True).first() or 0
    lease = Lease.objects.create(
        attempt=attempt, agent=agent, epoch=last + 1, granted_at=now,
        expires_at=now + timedelta(seconds=settings.LEASE_SECONDS),
    )  # fmt: skip
    move_attempt(attempt, "starting", now=now, budget_s=bought_s(attempt.job, attempt.allocation))
    move_job(attempt.job, "starting", now=now, attempts_made=attempt.job.attempts_made + 1)
    return lease


def hold(public_id: str, epoch: int, key: ApiKey) -> Lease:
    """The lease of an agent of `key`, under its row lock, or LeaseFenced."""
    lease = (
        Lease.objects.held(public_id, epoch)
        .filter(agent__api_key=key)
        .select_for_update(of=("self",))
        .select_related("agent", "attempt__job__buyer", "attempt__allocation__offer__site__provider")
        .first()
    )
    if lease is None:
        raise LeaseFenced(lease=public_id, epoch=epoch)
    return lease


@transaction.atomic
def renew(
    *,
    public_id: str,
    key: ApiKey,
    epoch: int,
    phase: str,
    progress: float | None,
    usage: dict[str, Any],
    now: datetime,
    signed: dict[str, str] | None = None,
) -> Lease:
    """A heartbeat: the lease runs on from the database's present. Raises LeaseFenced.

    `signed` is a line of what was used so far, taken where one was due. Raises ValidationFailed when it is none.
    """
    lease = hold(public_id, epoch, key)
    span = ExpressionWrapper(Value(timedelta(seconds=settings.LEASE_SECONDS)), output_field=DurationField())
    Lease.objects.filter(pk=lease.pk).update(expires_at=ClockTimestamp() + span, heard_at=now)
    attempt = lease.attempt
    if phase == "running":
        mark_running(attempt=attempt, now=now)
    told: dict[str, Any] = {}
    if signed is not None and usage_due(attempt, now):
        record_usage(lease=lease, line=usage_line(signed, "/signed/line"), now=now)
        told["metered_at"] = attempt.metered_at = now
    Attempt.objects.filter(pk=attempt.pk).update(
        progress=progress, cpu_ms=usage.get("cpu_ms", 0), peak_memory_bytes=usage.get("peak_memory_bytes", 0), **told
    )
    return lease


def cancel_asked(lease: Lease, now: datetime) -> dict[str, Any] | None:
    """What the agent must stop for, if anything, and in how many seconds at most."""
    attempt = lease.attempt
    if attempt.job.cancel_requested_at is not None:
        checkpoint = attempt.job.spec.get("checkpoint") or {}
        return {"reason": "cancelled", "grace_s": checkpoint.get("grace_s", 10)}
    if attempt.preempt_by is not None:
        return {"reason": "preempted", "grace_s": max(0, (attempt.preempt_by - now) // timedelta(seconds=1))}
    grace_s = stop_of(attempt, now)
    return None if grace_s is None else {"reason": "preempted", "grace_s": grace_s}


def end_expired_leases(*, now: datetime) -> int:
    """End every attempt whose lease ran out; the number ended."""
    ended = 0
    for key in list(Lease.objects.expired().values_list("pk", flat=True)):
        with transaction.atomic():
            lease = (
                Lease.objects.expired().select_for_update(skip_locked=True, of=("self",))
                .select_related("attempt__job__buyer", "attempt__allocation__offer__site__provider")
                .filter(pk=key).first()
            )  # fmt: skip
            if lease is not None:
                end_attempt(attempt=lease.attempt, reason="lease_lost", now=now, message="the agent fell silent")
                ended += 1
    return ended


def withdraw_unstarted(*, now: datetime) -> int:
    """Take back promises that no agent came for in time; the job is queued again, away from that site."""
    late = now - timedelta(seconds=LEASES_WITHOUT_START * settings.LEASE_SECONDS)
    waiting = Attempt.objects.filter(state="pending", allocation__start__lte=late, allocation__live=True)
    withdrawn = 0
    for key in list(waiting.values_list("pk", flat=True)):
        with transaction.atomic():
            attempt = (
                waiting.select_for_update(skip_locked=True, of=("self",))
                .select_related("job__buyer", "allocation__offer__site__provider").filter(pk=key).first()
            )  # fmt: skip
            if attempt is not None and attempt.job.state in JOB.open:
                end_attempt(attempt=attempt, reason="node_failed", now=now, message="no agent came for it in time")
                withdrawn += 1
    return withdrawn


def silent_since(now: datetime) -> datetime:
    """Agents not seen since then count as silent."""
    return now - timedelta(seconds=3 * settings.HEARTBEAT_SECONDS + 25)


SERVED = """
    WITH own AS (
        SELECT site.public_id, site.sample AND site.this_machine AS all_samples
        FROM scheduler_agent AS agent JOIN accounts_apikey AS key ON key.id = agent.api_key_id
        JOIN catalog_site AS site ON site.public_id = key.site
        WHERE agent.last_seen_at > %s
    )
    SELECT public_id FROM own
    UNION SELECT public_id FROM catalog_site WHERE sample AND EXISTS (SELECT FROM own WHERE all_samples)
"""


def served_sites(now: datetime) -> set[str]:
    """Public ids of the sites that some agent pulls work for right now."""
    with connection.cursor() as cursor:
        cursor.execute(SERVED, [silent_since(now)])
        return {site for (site,) in cursor.fetchall()}
