"""What a job file asks for, in types."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from scheduler.jobfile.problems import ReportLine


@dataclass(frozen=True, slots=True)
class JobAsk:
    """The run and its limits; `limits` use the filter names of the shelf in the API's units."""

    units: int
    run: str
    time_limit_s: int
    weights: tuple[int, int, int] = (40, 20, 40)
    rates: Mapping[str, int] | None = None
    when: str = "balanced"
    near: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    tier: str | None = None
    setup: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    outputs: tuple[str, ...] = ()
    file_mounts: Mapping[str, str] = field(default_factory=dict)
    network: str = "none"
    cpus_min: int | None = None
    memory_gb_min: int | None = None
    disk_gb: int | None = None
    reference_class: str | None = None
    time_limit_by_class: Mapping[str, int] = field(default_factory=dict)
    retries: int = 2
    start_after: datetime | None = None
    finish_by: datetime | None = None
    max_total_minor: int | None = None
    budget_stop: bool = False
    currency: str | None = None
    checkpoint: Mapping[str, Any] | None = None
    max_pieces: int = 1
    restart_s: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    gang_id: str | None = None
    gang_size: int = 1
    reservation: str | None = None


@dataclass(frozen=True, slots=True)
class JobFile:
    """A job file that can become a job: its tree, what it asks for, and what became of each field."""

    name: str
    tree: Mapping[str, Any]
    ask: JobAsk
    report: tuple[ReportLine, ...] = ()
    workdir: str | None = None

    def inside(self, reservation: str) -> "JobFile":
        """The same file with `config.joulemart.reservation`."""
        config = dict(self.tree.get("config") or {})
        config["joulemart"] = {**(config.get("joulemart") or {}), "reservation": reservation}
        ask = replace(self.ask, reservation=reservation)
        return replace(self, tree={**self.tree, "config": config}, ask=ask)

    def report_as_json(self) -> list[dict[str, Any]]:
        """The report as the API writes it."""
        return [line.as_dict() for line in self.report]
