"""Job file → what is stored with a job: its ask for the matcher and its spec for the agent."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from marketplace.catalog.models import HardwareClass
from marketplace.common.errors import FieldProblem, ValidationFailed
from scheduler.jobfile import JobAsk, JobFile
from scheduler.limits import limits_to_core

SEGMENT_OF_NOTHING = "cpu"


@dataclass(frozen=True, slots=True)
class StoredAsk:
    """What the matcher needs of a job, as JSON; limits in the core's units."""

    units: int
    run_s: int
    segment: str
    weights: tuple[int, int, int]
    when: str
    near: str | None
    limits: dict[str, Any]
    rates: dict[str, int] | None = None
    reference_pf_milli: int | None = None
    time_limit_by_class: dict[str, int] = field(default_factory=dict)
    max_pieces: int | None = None  # how many are left; none of work that never ran in several
    restart_s: int = 0

    def as_json(self) -> dict[str, Any]:
        """Of pieces only where there may be several, or were."""
        left_out = () if self.max_pieces is not None else ("max_pieces", "restart_s")
        return {name: value for name, value in asdict(self).items() if name not in left_out}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(**{**stored, "weights": tuple(stored["weights"])})

    def relaxed(self, limits: Mapping[str, Any]) -> "StoredAsk":
        """With `limits` (API units) changed; None drops one."""
        kept = {name: value for name, value in self.limits.items() if name not in limits}
        return replace(self, limits=kept | limits_to_core(limits))


def ask_from_file(file: JobFile, currency: str) -> StoredAsk:
    """The ask of a job file. Raises ValidationFailed when it names hardware that does not exist."""
    ask = file.ask
    limits = dict(ask.limits)
    if file.ask.file_mounts or ask.network == "egress":
        limits["egress"] = True
    if ask.tier:
        limits["tier"] = [ask.tier]
    segment = segment_of(limits.get("accelerator", ()))
    limits |= {"family": [segment], "currency": [ask.currency or currency], "served": True}
    if ask.max_total_minor is not None and not ask.budget_stop:
        limits["total__lte"] = ask.max_total_minor
    return StoredAsk(
        units=ask.units,
        run_s=ask.time_limit_s,
        segment=segment,
        weights=ask.weights,
        rates=dict(ask.rates) if ask.rates else None,
        when=ask.when,
        near=ask.near,
        limits=limits_to_core(limits),
        reference_pf_milli=_rating(ask.reference_class),
        time_limit_by_class=dict(ask.time_limit_by_class or {}),
        max_pieces=ask.max_pieces if ask.max_pieces > 1 else None,
        restart_s=ask.restart_s,
    )


def segment_of(accelerators: Any) -> str:
    """The hardware family of the named accelerators; processors when none is named.

    Raises ValidationFailed for a name nobody offers, with the nearest names.
    """
    names = [accelerators] if isinstance(accelerators, str) else list(accelerators)
    if not names:
        return SEGMENT_OF_NOTHING
    known = dict(HardwareClass.objects.values_list("accelerator", "family"))
    family = next((known[name] for name in names if name in known), None)
    if family is None:
        hint = "one of " + ", ".join(sorted(known))
        detail = f"no offer has {' or '.join(names)}"
        raise ValidationFailed([FieldProblem("/resources/accelerators", "bad_value", detail, hint)])
    return family


def _rating(slug: str | None) -> int | None:
    if slug is None:
        return None
    rating = HardwareClass.objects.filter(slug=slug).values_list("pf_milli", flat=True).first()
    if rating is None:
        hint = "one of " + ", ".join(HardwareClass.objects.order_by("slug").values_list("slug", flat=True))
        raise ValidationFailed(
            [FieldProblem("/config/joulemart/reference_class", "bad_value", f"no class {slug}", hint)]
        )
    return rating


def spec_from_file(file: JobFile) -> dict[str, Any]:
    """What the agent receives of a job file (execution.md, job spec)."""
    ask = file.ask
    return {
        "run": ask.run,
        "setup": "\n".join(part for part in (_fetch(ask), ask.setup or "") if part) or None,
        "env": dict(ask.env),
        "image": ask.image,
        "network": ask.network,
        "outputs": list(ask.outputs),
        "checkpoint": dict(ask.checkpoint) if ask.checkpoint else None,
        "resources": {"cpus": ask.cpus_min, "memory_gb": ask.memory_gb_min, "disk_gb": ask.disk_gb},
    }


def _fetch(ask: JobAsk) -> str:
    """Files from the web are fetched inside the sandbox, never by the agent itself."""
    program = "import sys,urllib.request as u; u.urlretrieve(sys.argv[1], sys.argv[2])"
    return "\n".join(
        f"mkdir -p \"$(dirname {_quoted(path)})\" && python3 -c '{program}' {_quoted(url)} {_quoted(path)}"
        for path, url in ask.file_mounts.items()
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"
