"""What an agent is told when it gets a lease."""

from datetime import datetime
from typing import Any

from django.conf import settings

from scheduler.files import FILE_BYTES, link
from scheduler.models import Artifact, Attempt, Lease, Upload
from scheduler.pieces import last_checkpoint
from scheduler.stopping import longest, time_limit

MEMORY_MB_PER_GB = 1024
PIDS_PER_UNIT = 128


def lease_as_json(lease: Lease, now: datetime) -> dict[str, Any]:
    """Spec, inputs by signed link, limits and power of one lease."""
    attempt = lease.attempt
    job, allocation = attempt.job, attempt.allocation
    hardware, site = allocation.offer.hardware, allocation.offer.site
    return {
        "id": lease.public_id,
        "epoch": lease.epoch,
        "attempt": attempt.public_id,
        "job": job.public_id,
        "number": attempt.number,
        "name": job.name,
        "lease_s": (lease.expires_at - now).total_seconds(),
        "heartbeat_s": settings.HEARTBEAT_SECONDS,
        "spec": {key: value for key, value in job.spec.items() if key != "resources"},
        "inputs": _inputs(attempt),
        "limits": _limits(lease),
        "power": {"idle_w": hardware.idle_w, "max_w": hardware.max_w, "pue_ppm": site.pue_ppm},
    }


def _inputs(attempt: Attempt) -> list[dict[str, Any]]:
    """The job's files, and those of the checkpoint that its work goes on from, which stand in the place of others."""
    given = {each.path: each.upload for each in attempt.job.inputs.select_related("upload")}
    files: dict[str, Upload | Artifact] = {**given, **{each.path: each for each in last_checkpoint(attempt)}}
    return [
        {"path": path, "url": link("get", each.public_id), "size": each.size, "sha256": each.sha256}
        for path, each in files.items()
    ]


def _limits(lease: Lease) -> dict[str, int]:
    attempt = lease.attempt
    job, allocation = attempt.job, attempt.allocation
    hardware = allocation.offer.hardware
    resources = job.spec["resources"]
    cpus = allocation.units * max(1, hardware.vcpus)
    memory_mb = allocation.units * max(1, hardware.ram_gb) * MEMORY_MB_PER_GB
    return {
        "time_limit_s": time_limit(lease),
        "longest_s": longest(lease),
        "units": allocation.units,
        "cpus": cpus,
        "memory_mb": memory_mb,
        "disk_mb": resources.get("disk_gb") * 1024 if resources.get("disk_gb") else 2048,
        "pids": PIDS_PER_UNIT * max(1, min(allocation.units, 8)),
        "log_bytes": settings.LOG_QUOTA_BYTES,
        "output_bytes": FILE_BYTES,
    }
