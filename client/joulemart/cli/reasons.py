"""`joulemart explain`: why a job runs where it does, against what, and why not elsewhere."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from ..objects import Contender, Fit, Refused, ScoreTerms, Why
from . import figures
from .exits import relaxations
from .session import Session, command
from .tables import Column, aligned

app = typer.Typer()

MM = 1000  # mm in a minor unit
_ALWAYS = ("price", "latency", "green")
_IF_ANY = ("carbon", "waiting", "move")


@command(app, "explain")
def explain(session: Session, job: Annotated[str, typer.Argument(metavar="JOB", help="Job id.")]) -> None:
    """Say why a job runs where it does: the cost in its parts, the runner-up, the next three, each refused offer."""
    currency = session.client.jobs.get(job).currency
    why = session.client.jobs.why(job)
    session.show_one(why, why_lines(why, currency, session.now), _columns(), name=why.job)


def _columns() -> list[Column[Why]]:
    return [
        Column("job", lambda w: w.job),
        Column("offer", lambda w: w.chosen.offer.id if w.chosen else None),
        Column("z", lambda w: w.chosen.z if w.chosen else None),
        Column("runner_up", lambda w: w.runner_up.offer.id if w.runner_up else None),
        Column("considered", lambda w: w.considered),
        Column("sentence", lambda w: w.sentence),
    ]


def why_lines(why: Why, currency: str, now: datetime) -> list[str]:
    """The whole explanation."""
    lines = [why.sentence] if why.sentence else []
    if why.chosen:
        lines += _chosen(why.chosen, currency, now)
    if why.runner_up:
        lines += _runner_up(why.runner_up, why.chosen, currency)
    lines += _others(why, currency)
    lines += _takeovers(why)
    lines += _refused(why.refused)
    helps = relaxations(dict(why.rejected), [dict(entry.raw) for entry in why.relax] if why.chosen is None else [])
    return lines + helps + [_source(why)]


def _chosen(chosen: Contender, currency: str, now: datetime) -> list[str]:
    facts = [
        _name(chosen),
        chosen.offer.id,
        figures.when(chosen.start, now) if chosen.start else "",
        "" if chosen.total_minor is None else figures.money(chosen.total_minor, currency),
    ]
    return [
        "chosen     " + "  ".join(fact for fact in facts if fact),
        f"  cost     {figures.rate(chosen.z, currency, 'PFLOP-h')} = {_terms(chosen.terms, chosen.z, currency)}",
        f"  fit      {_fit(chosen.fit)}",
    ]


def _runner_up(second: Contender, chosen: Contender | None, currency: str) -> list[str]:
    lines = [f"runner-up  {_name(second)}  {second.offer.id}"]
    if second.difference is None:
        return lines
    gap = second.z - chosen.z if chosen else 0
    cents = [(name, part) for name, part in _cents(second.difference, gap) if part]
    said = ", ".join(f"{name} {figures.rate(part * MM, currency, plus=True)}" for name, part in cents)
    return [*lines, f"  differs  {figures.rate(gap, currency, 'PFLOP-h', plus=True)}: {said or 'nothing'}"]


def _others(why: Why, currency: str) -> list[str]:
    shown = [other for other in why.others if why.runner_up is None or other.offer.id != why.runner_up.offer.id]
    rows = [
        [
            "next" if place == 0 else "",
            f"     {_name(other)}",
            other.offer.id,
            figures.rate(other.z, currency, "PFLOP-h"),
            f"= {_terms(other.terms, other.z, currency)}",
            f"fit {other.fit.total:.1f}",
        ]
        for place, other in enumerate(shown[:3])
    ]
    return aligned(rows, [False] * 3 + [True, False, True])


def _takeovers(why: Why) -> list[str]:
    lines = []
    for entry in why.raw.get("break_even") or ():
        percent = f"{_percent(entry)}%"
        offer = entry.get("offer")
        name = offer.get("title") or offer.get("id") if isinstance(offer, Mapping) else offer
        side = "above" if entry.get("direction") == "up" else "below"
        lines.append(f"would change  {name} leads with a {entry.get('axis')} weight {side} {percent}")
    return lines


def _percent(entry: Mapping[str, Any]) -> int:
    """The weight at which another offer takes over, rounded away from the weight now."""
    ppm = int(entry.get("weight_ppm") or 0)
    return -(-ppm // 10_000) if entry.get("direction") == "up" else ppm // 10_000


def _refused(refused: tuple[Refused, ...]) -> list[str]:
    if not refused:
        return []
    rows = [[f"  {entry.offer.id}", _name(entry), ", ".join(entry.limits), entry.sentence] for entry in refused]
    return [f"refused ({len(refused)})", *aligned(rows, [False] * 4)]


def _source(why: Why) -> str:
    said = f"{why.considered} {'offer' if why.considered == 1 else 'offers'} considered"
    return f"{said}, round {why.round}" if why.round else said


def _terms(terms: ScoreTerms, total: int, currency: str) -> str:
    """`price $2.47 + latency $0.27 + green $0.18`; the other parts only where there are any."""
    shown = [(name, part) for name, part in _cents(terms, total) if part or name in _ALWAYS]
    return " + ".join(f"{name} {figures.rate(part * MM, currency)}" for name, part in shown)


def _cents(terms: ScoreTerms, total: int) -> list[tuple[str, int]]:
    """The parts in minor units, adding up to the total as it is shown."""
    names = _ALWAYS + _IF_ANY
    return list(zip(names, figures.shown_parts([getattr(terms, name) for name in names], total, MM), strict=True))


def _fit(fit: Fit) -> str:
    parts = figures.shown_parts([fit.price * 10, fit.latency * 10, fit.green * 10], fit.total * 10, 1)
    price, latency, green = (tenths / 10 for tenths in parts)
    return f"{fit.total:.1f} = price {price:.1f} + latency {latency:.1f} + green {green:.1f}"


def _name(entry: Contender | Refused) -> str:
    title = entry.title or entry.offer.title
    site = entry.site.name if entry.site else ""
    if not site or site in title:
        return title or entry.offer.id
    return f"{title} at {site}" if title else site
