"""A job in words: its page in a terminal, a plan, its totals."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..decode import as_moment
from ..jobs import Job
from . import columns, figures
from .exits import relaxations
from .tables import aligned

NOT_CHARGED = {"lease_lost", "node_failed", "agent_error", "image_failed", "input_missing", "preempted"}


def totals_line(job: Job) -> str:
    """`32.9 kWh  2.2 kg CO2e  91% renewable  modelled`."""
    usage = job.usage
    parts = [figures.energy(usage.energy_wh), figures.co2e(usage.carbon_ug / 10**6)]
    if usage.renewable_share_ppm is not None:
        parts.append(f"{figures.share(usage.renewable_share_ppm)} renewable")
    if usage.quality or usage.energy_method:
        parts.append(usage.quality or usage.energy_method)
    return "  ".join(parts)


def job_lines(job: Job, now: datetime) -> list[str]:
    """Everything worth knowing of a job."""
    site = columns.site_of(job)
    head = f"{job.id} {job.state}" + (f" ({site})" if site else "")
    facts = [
        ("name", job.name),
        ("asks", f"{columns.units(job.units)}, at most {figures.duration(job.time_limit_s)}{_limits(job)}"),
        ("gang", _gang(job)),
        ("inside", job.reservation or ""),
        ("runs", _runs(job, now)),
        ("budget", _stops(job)),
        (
            "used",
            _used(job),
        ),
        ("energy", totals_line(job) if job.usage.seconds else ""),
    ]
    lines = [head, *([job.sentence] if job.sentence else [])]
    lines += aligned([row for row in facts if row[1]], [False, False])
    lines += _queue(job, now) + _pieces(job, now) + _attempts(job)
    return lines + aligned([[f"output {o.path}", figures.size(o.size)] for o in job.outputs], [False, True])


def plan_lines(job: Job, now: datetime) -> list[str]:
    """Where, when and at what price a job would run, and what became of fields that are not used as written."""
    name = f" {job.name}" if job.name else ""
    head = f"plan{name}  {columns.units(job.units)}  at most {figures.duration(job.time_limit_s)}{_ceiling(job)}"
    runs = _runs(job, now)
    lines = [head, *([f"would run at {runs}"] if runs else [])]
    sentence = (job.allocation.sentence if job.allocation else "") or job.sentence
    lines += [sentence] if sentence else []
    lines += pieces_beside_whole(job, now)
    lines += [stops] if (stops := _stops(job)) else []
    lines += _unplaced(job)
    return lines + [_report(entry) for entry in job.raw.get("report") or () if entry.get("action") != "kept"]


def pieces_beside_whole(job: Job, now: datetime) -> list[str]:
    """The pieces of a plan and their sum, and the contiguous run that would be had without them."""
    told = job.allocation.raw.get("in_pieces") if job.allocation else None
    if not told:
        return []
    rows = [_span(f"piece {each['number']}", each, job, now) for each in told["pieces"]]
    rows.append(["together", "", figures.money(told["total_minor"], job.currency), figures.co2e(told["carbon_g"])])
    rows.append(_span("in one run", told["whole"], job, now))
    return aligned(rows, [False, False, True, True])


def _pieces(job: Job, now: datetime) -> list[str]:
    """The pieces of a job, each with what has become of it."""
    told = job.raw.get("pieces") or ()
    rows = [[*_span(f"piece {each['number']}", each, job, now)[:3], each["state"]] for each in told]
    return aligned(rows, [False, False, True, False])


def _span(name: str, each: Mapping[str, Any], job: Job, now: datetime) -> list[str]:
    start, end = as_moment(each["start"]), as_moment(each["end"])
    carbon = figures.co2e(each["carbon_g"]) if "carbon_g" in each else ""
    return [name, figures.window(start, end, now), figures.money(each["total_minor"], job.currency), carbon]


def _stops(job: Job) -> str:
    """Where its budget ends a job before its time limit: `stops after 1 h 15 min at the latest`."""
    after_s = job.allocation.stops_after_s if job.allocation else None
    return "" if after_s is None else f"stops after {figures.duration(after_s)} at the latest"


def _gang(job: Job) -> str:
    gang = job.raw.get("gang")
    return f"{gang['id']}, {gang['size']} jobs that start together" if gang else ""


def _used(job: Job) -> str:
    return f"{figures.duration(job.usage.seconds)}  {spent(job)}{_ceiling(job)}"


def spent(job: Job) -> str:
    """What a job has cost: `$1.64`, or `< $0.01` where something ran that is charged and rounds to nothing."""
    charged = any(each.started_at and each.reason not in NOT_CHARGED for each in job.attempts)
    shown = figures.money(job.cost.to_date_minor or int(charged), job.currency)
    return shown if job.cost.to_date_minor or not charged else f"< {shown}"


def _limits(job: Job) -> str:
    shown = ", ".join(f"{name} {value}" for name, value in job.limits.items())
    return f"; {shown}" if shown else ""


def _ceiling(job: Job) -> str:
    ceiling = job.cost.ceiling_minor
    return "" if ceiling is None else f"  ceiling {figures.money(ceiling, job.currency)}"


def _runs(job: Job, now: datetime) -> str:
    given = job.allocation
    if given is None:
        return ""
    parts = [columns.site_of(job) or (columns.place_of(given.offer) if given.offer else "")]
    if given.offer:
        parts.append(given.offer.id)
    if given.start and given.end:
        parts.append(figures.window(given.start, given.end, now))
    if given.total_minor is not None:
        parts.append(figures.money(given.total_minor, job.currency))
    return "  ".join(part for part in parts if part)


def _queue(job: Job, now: datetime) -> list[str]:
    lines = []
    if job.queue and job.queue.position is not None:
        expected = job.queue.expected_start
        likely = f", likely start {figures.when(expected.p50, now)}" if expected and expected.p50 else ""
        lines.append(f"queue position {job.queue.position}, waiting {figures.duration(job.queue.waiting_s)}{likely}")
    return lines + _unplaced(job)


def _unplaced(job: Job) -> list[str]:
    if job.unplaced is None:
        return []
    said = [job.unplaced.sentence] if job.unplaced.sentence and job.unplaced.sentence != job.sentence else []
    return said + relaxations(dict(job.unplaced.rejected), [dict(entry.raw) for entry in job.unplaced.relax])


def _attempts(job: Job) -> list[str]:
    rows = []
    for attempt in job.attempts:
        ended = attempt.reason or attempt.state
        code = "" if attempt.exit_code is None else f"exit {attempt.exit_code}"
        site = (attempt.site.name or attempt.site.id) if attempt.site else figures.UNKNOWN
        seconds = figures.UNKNOWN if attempt.seconds is None else figures.duration(attempt.seconds)
        rows.append([f"attempt {attempt.number}", ended, code, site, seconds])
    return aligned(rows, [False, False, False, False, True])


def _report(entry: dict[str, Any]) -> str:
    to = f" → {entry['to']}" if entry.get("to") else ""
    detail = f": {entry['detail']}" if entry.get("detail") else ""
    return f"{entry.get('action')} {entry.get('pointer')}{to}{detail}"
