"""The shapes of the agent protocol, as this program holds them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Phase = Literal["starting", "running", "finishing"]
Reason = Literal[
    "succeeded",
    "exit_nonzero",
    "time_limit",
    "budget_limit",
    "out_of_memory",
    "cancelled",
    "preempted",
    "lease_lost",
    "node_failed",
    "image_failed",
    "input_missing",
    "output_failed",
    "agent_error",
]


class BadLease(Exception):
    """The marketplace sent a lease that lacks something; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file the work needs: put at `path` under its folder, fetched from `url`."""

    path: str
    url: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How the work saves its progress: the signal that asks for it and where it lies."""

    path: str
    signal: str
    grace_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an attempt may use."""

    time_limit_s: int
    longest_s: int  # how long the limit may become
    units: int
    cpus: int
    memory_mb: int
    disk_mb: int
    pids: int
    log_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Watts of one unit, idle and busy."""

    idle_w: int
    max_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The fenced right to run one attempt."""

    id: str
    epoch: int
    attempt: str
    job: str
    number: int
    name: str
    lease_s: float
    heartbeat_s: float
    run: str
    setup: str | None
    env: Mapping[str, str]
    image: str | None
    network: Literal["none", "egress"]
    outputs: tuple[str, ...]
    checkpoint: Checkpoint | None
    inputs: tuple[InputFile, ...]
    limits: Limits
    power: Power

    @property
    def patterns(self) -> tuple[str, ...]:
        """What to keep of the work folder: the outputs, and the checkpoint where there is one."""
        return self.outputs if self.checkpoint is None else (*self.outputs, self.checkpoint.path)


def parse_lease(body: Mapping[str, Any]) -> Lease:
    """Read one lease. Raises BadLease."""
    try:
        return _lease(body, body["spec"])
    except KeyError as error:
        raise BadLease(f"the lease lacks {error.args[0]}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadLease(f"the lease has a field of the wrong kind: {error}") from error


def _lease(body: Mapping[str, Any], spec: Mapping[str, Any]) -> Lease:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", str(body["id"])):
        raise ValueError(f"id {body['id']!r} is not an id")
    return Lease(
        id=str(body["id"]),
        epoch=int(body["epoch"]),
        attempt=str(body["attempt"]),
        job=str(body["job"]),
        number=int(body["number"]),
        name=str(body.get("name") or body["job"]),
        lease_s=float(body["lease_s"]),
        heartbeat_s=float(body["heartbeat_s"]),
        run=str(spec["run"]),
        setup=spec.get("setup") or None,
        env={str(key): str(value) for key, value in (spec.get("env") or {}).items()},
        image=spec.get("image") or None,
        network="egress" if spec.get("network") == "egress" else "none",
        outputs=tuple(str(pattern) for pattern in spec.get("outputs") or ()),
        checkpoint=_checkpoint(spec.get("checkpoint")),
        inputs=tuple(
            InputFile(path=str(row["path"]), url=str(row["url"]), size=int(row["size"]), sha256=str(row["sha256"]))
            for row in body.get("inputs") or ()
        ),
        limits=_limits(body["limits"]),
        power=Power(idle_w=int(body["power"]["idle_w"]), max_w=int(body["power"]["max_w"])),
    )


def _limits(raw: Mapping[str, Any]) -> Limits:
    """The limits; one that cannot grow has no `longest_s`."""
    raw = {"longest_s": raw["time_limit_s"], **raw}
    return Limits(**{field: int(raw[field]) for field in Limits.__slots__})


def _checkpoint(raw: Mapping[str, Any] | None) -> Checkpoint | None:
    if not raw or not raw.get("path"):
        return None
    return Checkpoint(
        path=str(raw["path"]),
        signal=str(raw.get("signal") or "TERM"),
        grace_s=float(raw.get("grace_s") or 0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an attempt has used so far; `energy_uj` is metered at the node where a meter is readable, else None."""

    milliseconds: int = 0
    cpu_ms: int = 0
    peak_memory_bytes: int = 0
    energy_uj: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The marketplace wants the work ended."""

    reason: Literal["cancelled", "preempted", "budget_limit"]
    grace_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The answer to a heartbeat."""

    lease_s: float
    cancel: Cancel | None
    notice: str | None
    time_limit_s: int = 0  # how long the work may run by now, where that is more than its lease said
    usage_due: bool = False  # the next one is to carry a signed line of what was used so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An output the marketplace has taken."""

    path: str
    artifact: str
    size: int
    sha256: str
