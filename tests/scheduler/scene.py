"""A job that has been allocated, and an agent that may claim it: the stage of most tests here."""

import base64
import json
import threading
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import connection, transaction

from marketplace.booking.hours import touched_hours
from marketplace.catalog.models import Offer
from marketplace.energy.models import GridHour, GridZone
from marketplace.ledger.holds import hold_money
from scheduler.asks import seconds
from scheduler.commit import commit_plan
from scheduler.core.types import Placement, Plan
from scheduler.leases import claim_leases, register_agent
from scheduler.models import Agent, Attempt, Job, Lease, MatchRound, SegmentReference
from scheduler.queue import Queue, read_queue
from scheduler.snapshot import Shelf
from tests.market import MONDAY, key_of, make_cpu, make_offer, make_organization, make_site

CEILING = 10**7
SPEC = {
    "run": "echo hello", "setup": None, "env": {}, "image": None, "network": "none", "outputs": [],
    "checkpoint": None, "resources": {"cpus": 1, "memory_gb": None, "disk_gb": None},
}  # fmt: skip


def publish_hours(zone: GridZone, until: datetime, days: int = 9) -> None:
    """Enough published hours of `zone` to forecast from."""
    first = until - timedelta(days=days)
    GridHour.objects.bulk_create(
        ignore_conflicts=True,
        objs=(GridHour(
            zone=zone, start=hour, direct_mg_per_kwh=300_000, lifecycle_mg_per_kwh=400_000, renewable_ppm=500_000,
            carbon_free_ppm=600_000, source="test", vintage="1", published_at=hour,
        ) for hour, _ in touched_hours(first, until)),
    )  # fmt: skip


def make_cpu_offer(*, units: int = 2, **fields: Any) -> Offer:
    offer = make_offer(make_site(), hardware=make_cpu(), units=units, rate_mm=4_000, **fields)
    publish_hours(offer.site.zone, fields.get("now", MONDAY) + timedelta(days=1))
    return offer


def make_job(*, now: datetime, name: str = "hello", units: int = 1, **fields: Any) -> Job:
    ask = {
        "units": units, "run_s": 600, "segment": "cpu", "weights": [40, 20, 40], "when": "balanced", "near": None,
        "limits": {"family": ["cpu"]}, "rates": None, "reference_pf_milli": None, "time_limit_by_class": {},
    }  # fmt: skip
    values = {
        "buyer": fields.pop("buyer", None) or make_organization(), "name": name, "file": {"run": "echo hello"},
        "spec": SPEC, "ask": ask, "segment": "cpu", "units": units, "time_limit_s": 600,
        "due_at": now + timedelta(hours=6), "next_attempt_at": now, "created_at": now,
    }  # fmt: skip
    job = Job.objects.create(**({"ceiling_minor": CEILING} | values | fields))
    if job.ceiling_minor:
        hold_money(
            organization=job.buyer, asset="USD", livemode=False, amount=job.ceiling_minor, subject=job.public_id,
            now=now, actor="test",
        )  # fmt: skip
    return job


def make_round(now: datetime) -> MatchRound:
    reference, _ = SegmentReference.objects.get_or_create(
        segment="cpu", day=now.date(), defaults={"p_lo": 1, "p_mid": 2, "p_hi": 3, "offers": 1, "created_at": now}
    )
    return MatchRound.objects.create(
        segment="cpu", mode="greedy", core_version="1", reference=reference, now=now,
        result=zlib.compress(b'{"placed":[],"unplaced":[]}'),
        snapshot_sha256="0" * 64, result_sha256="0" * 64, jobs_seen=1, placed=1, utility=1, ms_read=0, ms_core=0,
    )  # fmt: skip


def queued(now: datetime) -> Queue:
    """Every waiting job of the segment as a round reads it."""
    return read_queue(segment="cpu", now=now, most=100_000)


def allocated(offer: Offer, *, now: datetime, run_s: int = 600, **fields: Any) -> Attempt:
    """A job allocated to `offer` from `now` on; its pending attempt."""
    job = make_job(now=now, **fields)
    start = seconds(now)
    placement = Placement(job.public_id, offer.public_id, start, start + run_s, job.units, (), 1, 1, 1)
    outcome = commit_plan(
        plan=Plan((placement,), ()), queue=queued(now), shelf=Shelf([offer], ()), round_=make_round(now),
        explain=lambda: lambda _: {"sentence": "It fits."}, prepare_round=lambda: lambda _: None, now=now,
    )  # fmt: skip
    assert outcome.placed == 1
    return Attempt.objects.select_related("job", "allocation__offer__site").get(job=job)


@contextmanager
def held_by_somebody(job: Job) -> Iterator[None]:
    """The row of `job` is locked by another connection."""
    locked, done = threading.Event(), threading.Event()

    def somebody() -> None:
        with transaction.atomic():
            Job.objects.select_for_update(of=("self",)).get(pk=job.pk)
            locked.set()
            done.wait(timeout=20)
        connection.close()

    other = threading.Thread(target=somebody)
    other.start()
    try:
        assert locked.wait(timeout=20)
        yield
    finally:
        done.set()
        other.join(timeout=20)


class TestAgent:
    """An agent with its own signing key, speaking to the services."""

    __test__ = False

    def __init__(self, offer: Offer, *, now: datetime, name: str = "a", units: int = 4, cpus: int = 64) -> None:
        self.key, self.secret = key_of(offer.site.provider, "agent", site=offer.site.public_id)
        self.signer = Ed25519PrivateKey.generate()
        raw = self.signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        facts = {
            "name": name, "engine": "process", "version": "1", "platform": {"os": "linux"}, "units": units,
            "devices": [{"kind": "cpu", "model": "x", "count": cpus, "memory_mb": 1}],
            "public_key": base64.b64encode(raw).decode(), "sealing_key": "", "clock": now.timestamp(),
        }  # fmt: skip
        self.row: Agent = register_agent(key=self.key, facts=facts, now=now)

    def claim(self, *, now: datetime, most: int = 10, holds: Collection[str] = ()) -> list[Lease]:
        return claim_leases(agent=self.row, most=most, now=now, holds=holds)

    def usage(self, lease: Lease, milliseconds: int, /, **changes: Any) -> dict[str, str]:
        """A signed usage line; `changes` forge it before it is signed."""
        facts = {
            "attempt": lease.attempt.public_id, "lease": lease.public_id, "epoch": lease.epoch,
            "units": lease.attempt.allocation.units, "milliseconds": milliseconds, "cpu_ms": milliseconds,
            "peak_memory_bytes": 1 << 20, "bytes_in": 0, "bytes_out": 0, "energy_method": "modelled_full",
            "energy_wh": 7, "site_wh": 7,
        } | changes  # fmt: skip
        line = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return {"line": line, "signature": base64.b64encode(self.signer.sign(line.encode())).decode()}

    def report(self, lease: Lease, reason: str = "succeeded", **fields: Any) -> dict[str, Any]:
        return {
            "epoch": lease.epoch, "reason": reason, "exit_code": 0, "signal": None, "message": "",
            "usage": [], "outputs": [],
        } | fields  # fmt: skip
