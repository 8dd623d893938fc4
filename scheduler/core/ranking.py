"""The best column of every offer for one ask, by the same cost that rounds use: what search and quotes show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scheduler.core import relaxing
from scheduler.core.feasibility import MASKS
from scheduler.core.market import Ints, Market
from scheduler.core.scoring import NEVER, Fit, Point, Terms, effective_weights, fit_of, point_of
from scheduler.core.survey import Round, Survey, open_key
from scheduler.core.types import HOUR_S, Ask, OfferFacts, Reference, Relax, Snapshot, When

STARTS: tuple[When, ...] = ("now", "balanced", "cheapest", "greenest")


@dataclass(frozen=True, slots=True)
class Ranked:
    """One offer with its best column for the ask; costs in mm per unit, means over the run."""

    offer: OfferFacts
    start_s: int
    end_s: int
    run_cost: int
    z: int
    terms: Terms  # of run_cost, mm per unit
    price_mm: int  # mean all-in mm per unit-hour
    share_seconds: int  # sum of share in ppm x seconds
    ci_mg: int
    latency_ms: int | None
    charged_ms: int  # what the cost counts: above the free ms, and the whole scale where unknown
    free: int  # units free in every hour of the run
    run_s: int
    weights: tuple[int, int, int]
    reference: Reference

    @property
    def share_ppm(self) -> int:
        """Mean renewable share."""
        return self.share_seconds // self.run_s

    @property
    def point(self) -> Point:
        """Where it lies on the three axes."""
        return point_of(
            self.terms, self.run_s, self.offer.pf_milli, self.charged_ms, self.share_seconds, self.reference
        )

    @property
    def fit(self) -> Fit:
        """Its fit and the three parts."""
        return fit_of(self.point, self.z, self.weights, self.reference)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every offer that fits, best first; for the rest, what each limit rejects and what would bring offers back.

    `refused` is [(offer, codes it fails)] by offer id: the fewest limits that any of its columns fails.
    """

    ask: Ask
    weights: tuple[int, int, int]
    ranked: tuple[Ranked, ...]
    rejected: dict[str, int]
    relax: tuple[Relax, ...]
    refused: tuple[tuple[OfferFacts, tuple[str, ...]], ...]
    considered: int


def rank(snapshot: Snapshot, ask: Ask, *, with_relax: bool = True) -> Ranking:
    """Rank the offers of `snapshot` for `ask`; ties go to the earlier start, then to the lower offer id."""
    return rank_in(Round(snapshot), ask, with_relax=with_relax)


def rank_in(state: Round, ask: Ask, *, with_relax: bool = True) -> Ranking:
    """The same on a round as it stands, so that capacity already taken counts."""
    survey = state.survey(ask)
    refusal = state.refusal(ask)
    key = open_key(survey, refusal.failed)
    weights = effective_weights(ask, state.market.reference)
    ranked = _ranked(state.market, ask, survey, key, refusal.least_free, weights) if key.size else ()
    return Ranking(
        ask=ask,
        weights=weights,
        ranked=ranked,
        rejected=relaxing.rejected(refusal.failed),
        relax=relaxing.relax(refusal) if with_relax else (),
        refused=_refused(state.market, refusal.failed, survey.spans.picks),
        considered=len(state.market.offers),
    )


def starts(snapshot: Snapshot, ask: Ask) -> dict[str, Ranked | None]:
    """The four starts always proposed: the best column now, balanced, cheapest, greenest."""
    state = Round(snapshot)
    proposals = {}
    for when in STARTS:
        ranked = rank_in(state, replace(ask, when=when), with_relax=False).ranked
        proposals[str(when)] = ranked[0] if ranked else None
    return proposals


def _ranked(
    market: Market, ask: Ask, survey: Survey, key: Ints, least: Ints, weights: tuple[int, int, int]
) -> tuple[Ranked, ...]:
    """The best column of every offer that has one, by key, then start, then id."""
    spans, best = survey.spans, key.argmin(axis=0)
    keys = key[best, np.arange(key.shape[1])]
    offer = np.lexsort((spans.picks, best, keys))
    offer = offer[keys[offer] < NEVER]
    start, run = best[offer], spans.run[offer]
    share, price, intensity = (
        spans.total_at(market.series(name), start, offer) for name in ("share_ppm", "price", "ci_mg")
    )
    facts = [market.offers[pick] for pick in spans.picks[offer].tolist()]
    fields = (
        spans.starts[start],
        spans.ends[start, offer],
        survey.columns.run_cost[start, offer],
        survey.columns.z[start, offer],
        price // run,
        share,
        -(-intensity // run),
        survey.columns.pricing.milliseconds[spans.picks[offer]],
        least[start, offer],
        run,
    )
    rows = zip(facts, survey.columns.terms_at(start, offer), *(field.tolist() for field in fields), strict=True)
    return tuple(
        Ranked(
            offer=fact, start_s=start_s, end_s=end_s, run_cost=run_cost, z=z, terms=terms, price_mm=price_mm,
            share_seconds=share_seconds, ci_mg=ci_mg, latency_ms=fact.latency_ms.get(ask.near) if ask.near else None,
            charged_ms=charged_ms, free=free, run_s=run_s, weights=weights, reference=market.reference,
        )
        for fact, terms, start_s, end_s, run_cost, z, price_mm, share_seconds, ci_mg, charged_ms, free, run_s in rows
    )  # fmt: skip


def _refused(market: Market, failed: Ints, picks: Ints) -> tuple[tuple[OfferFacts, tuple[str, ...]], ...]:
    """For each offer without a passing column, the codes of the column that fails the fewest limits."""
    if not failed.size:
        return ()
    answer = []
    nearest = np.bitwise_count(failed).argmin(axis=0)
    for offer in np.flatnonzero((failed != 0).all(axis=0)).tolist():
        bits = int(failed[nearest[offer], offer])
        codes = tuple(code for code, mask in MASKS.items() if bits & mask)
        answer.append((market.offers[picks[offer]], codes))
    return tuple(answer)


def hours_between(start_s: int, end_s: int) -> Sequence[int]:
    """Unix seconds of every hour that [start, end) touches."""
    return range(start_s // HOUR_S * HOUR_S, end_s, HOUR_S)
