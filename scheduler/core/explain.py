"""Why this offer: from the same numbers that decided (matching.md, section 3)."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from scheduler.core.ranking import Ranked, Ranking
from scheduler.core.scoring import PFLOP_HOUR, Fit, Terms
from scheduler.core.takeovers import Takeover, takeovers
from scheduler.core.types import Relax

OTHERS = 3
PPM = 10**6
WORDS = {
    "hardware": "has other hardware", "memory_gb": "has less memory", "interconnect": "has another interconnect",
    "tier": "is of another tier", "term": "is sold on other terms", "currency": "is priced in another currency",
    "residency": "lies in another country", "region": "lies in another region or was excluded after a failure",
    "offer": "is not the offer asked for", "provider": "is of another provider", "kind": "is of another kind",
    "latency": "is too far away, or nobody knows how far", "price": "is too dear",
    "total": "costs more than the ceiling",
    "renewable": "is not renewable enough", "matched": "has too little renewable energy matched by the hour",
    "carbon_free": "is not carbon-free enough", "carbon": "emits too much per kWh", "carbon_cap": "would emit too much",
    "notice_s": "gives less notice", "boot_s": "starts too slowly",
    "reliability": "is not reliable enough, or unproven",
    "energy_source": "is served by other sources of energy",
    "temporal_resolution": "has energy of which the time is known less finely",
    "evidence": "has weaker evidence of its energy", "free": "has fewer free units", "network": "allows no network",
    "served": "has no agent at work", "window": "cannot run it inside the window", "capacity": "has too few free units",
}  # fmt: skip


def why(ranking: Ranking, chosen: Ranked) -> dict[str, Any]:
    """The explanation of `chosen` among `ranking`, as plain JSON: terms in mm per PFLOP-hour, which add up to z."""
    rest = [each for each in ranking.ranked if each.offer.id != chosen.offer.id]
    runner_up = rest[0] if rest else None
    points = [chosen.point, *(each.point for each in rest)]
    found = takeovers(points, ranking.weights)
    return {
        "sentence": sentence(chosen, runner_up, len(ranking.ranked), ranking.considered),
        "chosen": _entry(chosen),
        "runner_up": _entry(runner_up) | _difference(chosen, runner_up) if runner_up else None,
        "others": [_entry(each) for each in rest[1 : 1 + OTHERS]],
        "refused": [_refusal(offer.id, offer.title, offer.site_title, codes) for offer, codes in ranking.refused],
        "rejected": ranking.rejected,
        "relax": [relax_as_json(each) for each in ranking.relax],
        "break_even": [_takeover(each, [chosen, *rest]) for each in found],
        "weights": list(ranking.weights),
        "considered": ranking.considered,
    }


def in_pieces(told: dict[str, Any], pieces: Sequence[tuple[int, int]], z: int) -> dict[str, Any]:
    """What an explanation of a contiguous run says besides where the work is in `pieces` at `z`."""
    less = 100 * (told["chosen"]["z"] - z) // max(1, told["chosen"]["z"])
    sentence_ = f"{told['sentence']} In {len(pieces)} pieces it costs {less} % less than in one run."
    return {"sentence": sentence_, "pieces": {"spans": [list(each) for each in pieces], "z": z}}


def sentence(chosen: Ranked, runner_up: Ranked | None, fitting: int, considered: int, place: int = 1) -> str:
    """One sentence in plain numbers; `place` counts from 1, `runner_up` is the offer behind it."""
    head = f"{chosen.offer.title} has the lowest cost of {fitting} of {considered} offers that fit"
    if place > 1:
        head = f"Number {place} of the {fitting} offers that fit"
    if runner_up is None and place > 1:
        return f"{head}."
    if runner_up is None:
        return f"{chosen.offer.title} is the only one of {considered} offers that fits."
    axes = {"price": "price", "latency": "latency", "green": "renewable share"}
    ahead = {name: getattr(chosen.fit, name) - getattr(runner_up.fit, name) for name in axes}
    best = max(ahead, key=lambda name: (ahead[name], name))
    if ahead[best] <= 0:
        return f"{head}; {runner_up.offer.title} costs the same."
    return f"{head}, ahead of {runner_up.offer.title} mainly by {axes[best]}."


def _entry(ranked: Ranked) -> dict[str, Any]:
    offer = ranked.offer
    return {
        "offer": offer.id,
        "title": offer.title,
        "site": {"id": offer.site, "name": offer.site_title},
        "start_s": ranked.start_s,
        "end_s": ranked.end_s,
        "z": ranked.z,
        "terms": asdict(_per_pflop_hour(ranked)),
        "fit": fit_as_json(ranked.fit),
        "price_mm": ranked.price_mm,
        "renewable_share_ppm": ranked.share_ppm,
        "carbon_mg_per_kwh": ranked.ci_mg,
        "latency_ms": ranked.latency_ms,
    }


def fit_as_json(fit: Fit) -> dict[str, float]:
    """Points with one decimal."""
    return {name: value / 10 for name, value in asdict(fit).items()}


def _per_pflop_hour(ranked: Ranked) -> Terms:
    return ranked.terms.scaled(PFLOP_HOUR, ranked.run_s * ranked.offer.pf_milli)


def _difference(chosen: Ranked, other: Ranked) -> dict[str, Any]:
    more = asdict(_per_pflop_hour(other).minus(_per_pflop_hour(chosen)))
    return {"difference": more | {"z": other.z - chosen.z}}


def _refusal(offer: str, title: str, site: str, codes: tuple[str, ...]) -> dict[str, Any]:
    return {"offer": offer, "title": title, "site": site, "limits": list(codes), "sentence": refusal_sentence(codes)}


def refusal_sentence(codes: tuple[str, ...]) -> str:
    """Why an offer was refused, in words."""
    return "It " + " and ".join(WORDS[code] for code in codes) + "."


def _takeover(takeover: Takeover, ranked: list[Ranked]) -> dict[str, Any]:
    """The weight is shown rounded away from where it is now."""
    exact = takeover.weight * PPM
    shown = -(-exact.numerator // exact.denominator) if takeover.direction == "up" else exact.__floor__()
    offer = ranked[takeover.winner].offer
    return {
        "axis": takeover.axis,
        "direction": takeover.direction,
        "weight_ppm": shown,
        "offer": offer.id,
        "title": offer.title,
    }


def relax_as_json(relax: Relax) -> dict[str, Any]:
    """One way out, in the core's units."""
    return {
        "limit": relax.limits[0],
        "limits": list(relax.limits),
        "offers": relax.offers,
        "offer": relax.offer,
        "changes": [[name, list(value) if isinstance(value, tuple) else value] for name, value in relax.changes],
    }
