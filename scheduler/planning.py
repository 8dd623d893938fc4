"""What would happen to a job if it were submitted now: nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from accounts.models import Organization
from marketplace.booking.contracts import price_of
from marketplace.booking.reservationview import summed
from marketplace.catalog.models import Offer
from marketplace.common.clock import rfc3339
from scheduler.asks import ask_fields, moment, seconds
from scheduler.core import explain
from scheduler.core.alone import Alone, decide_alone
from scheduler.core.cutting import Cut, Span, best_cut
from scheduler.core.ranking import Ranked
from scheduler.core.survey import Round
from scheduler.core.types import Ask, Snapshot
from scheduler.explaining import refusal_as_json, refusal_as_told
from scheduler.jobfile import JobFile
from scheduler.limits import limits_to_api
from scheduler.pieceplan import pieces_as_json
from scheduler.references import as_core, reference_of
from scheduler.requests import StoredAsk, ask_from_file
from scheduler.shards import order_of
from scheduler.snapshot import Shelf, read_shelf, take_snapshot
from scheduler.stopping import budget_of, most_for, seconds_for, with_the_stop

TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Trial:
    """One ask decided alone on today's shelf, in pieces where that is better."""

    shelf: Shelf
    alone: Alone
    ask: Ask
    snapshot: Snapshot

    @property
    def cut(self) -> Cut | None:
        """The pieces that it would run in."""
        chosen, ask = self.alone.chosen, self.ask
        return best_cut(Round(self.snapshot), ask, chosen.z) if chosen is not None and ask.max_pieces > 1 else None


def try_out(*, ask: StoredAsk, now: datetime, start_after: datetime | None, finish_by: datetime | None) -> Trial:
    """Decide `ask` alone on the shelf as it stands."""
    shelf = read_shelf(now=now, families=[ask.segment])
    trial = Ask(
        id=TRIAL, submitted_s=seconds(now), start_after_s=seconds(start_after) if start_after else None,
        finish_by_s=seconds(finish_by) if finish_by else None, **ask_fields(ask.as_json()),
    )  # fmt: skip
    reference = as_core(reference_of(ask.segment, now))
    snapshot = take_snapshot(shelf=shelf, asks=[trial], reference=reference, now=now, mode="greedy")
    return Trial(shelf, decide_alone(snapshot, trial), trial, snapshot)


@dataclass(frozen=True, slots=True)
class Prospect:
    """Why no offer can ever take an ask (rejected, and relax in the API's units), if so; else where it looks first.

    `dearest_minor` is the most that it costs on an offer that fits, when nothing is promised.
    """

    never: dict[str, Any] | None
    groups: Sequence[str]
    dearest_minor: int


def prospect_of(
    *, ask: StoredAsk, now: datetime, start_after: datetime | None = None, finish_by: datetime | None = None
) -> Prospect:
    """Whether some offer could take `ask`, and the groups of regions by the lowest cost they may have for it.

    A site whose agent is away now may have one again: `served` is a limit of a round, not of ever.
    """
    lasting = replace(ask, limits={name: value for name, value in ask.limits.items() if name != "served"})
    trial = try_out(ask=lasting, now=now, start_after=start_after, finish_by=finish_by)
    refused = trial.alone.refused
    never = refusal_as_told(refusal_as_json(refused)) if refused and refused.code == "never_fits" else None
    return Prospect(never, order_of(trial.alone.survey), trial.alone.survey.dearest)


def plan_of(*, file: JobFile, organization: Organization, now: datetime) -> dict[str, Any]:
    """The plan of a job file in the shape of a job without an id: allocation and why, or what keeps it away.

    Raises ValidationFailed as a submission would.
    """
    ask = ask_from_file(file, currency=organization.currency)
    trial = try_out(ask=ask, now=now, start_after=file.ask.start_after, finish_by=file.ask.finish_by)
    refused = trial.alone.refused
    allocation = _allocation(trial, trial.alone.chosen, file, ask.units) if trial.alone.chosen else None
    ceiling = most_for(allocation["total_minor"], budget_of(file)) if allocation else None
    return {
        "object": "job",
        "id": None,
        "name": file.name,
        "state": "planned",
        "units": ask.units,
        "time_limit_s": ask.run_s,
        "currency": organization.currency,
        "limits": limits_to_api(ask.limits) | ({"total__lte": budget} if (budget := budget_of(file)) else {}),
        "budget_stop": file.ask.budget_stop,
        "weights": dict(zip(("price", "latency", "green"), ask.weights, strict=True)),
        "when": ask.when,
        "near": ask.near,
        "reservation": None,
        "allocation": allocation,
        "unplaced": refusal_as_told(refusal_as_json(refused)) if refused else None,
        "cost": {"to_date_minor": 0, "ceiling_minor": ceiling},
        "report": file.report_as_json(),
    }


def _allocation(trial: Trial, chosen: Ranked, file: JobFile, units: int) -> dict[str, Any]:
    cut = trial.cut
    offer = trial.shelf.offer(cut.offer.id if cut else chosen.offer.id)
    spans = cut.spans if cut else ((chosen.start_s, chosen.end_s),)
    start, end = moment(spans[0][0]), moment(spans[-1][1])
    lines, total = _price(offer, units, spans)
    stops_after_s = seconds_for(budget_of(file), total=total, promised_s=chosen.end_s - chosen.start_s)
    why = explain.why(trial.alone.ranking, chosen)
    why |= explain.in_pieces(why, cut.spans, cut.z) if cut else {}
    why["sentence"] = with_the_stop(why["sentence"], stops_after_s)
    return {
        "offer": {"id": offer.public_id, "title": offer.title},
        "site": {
            "id": offer.site.public_id,
            "name": offer.site.name,
            "zone": offer.site.zone.code,
            "sample": offer.site.sample,
        },
        "start": rfc3339(start),
        "end": rfc3339(end),
        "units": units,
        "total_minor": total,
        "price_lines": lines,
        "in_pieces": _pieces(trial, cut, chosen, units) if cut else None,
        "stops_after_s": stops_after_s,
        "sentence": why["sentence"],
        "why": why,
    }


def _price(offer: Offer, units: int, spans: Sequence[Span]) -> tuple[list[dict[str, Any]], int]:
    """The lines and the total of all [start, end) of `spans`, each a purchase of its own."""
    bills = [price_of(offer, units, moment(start_s), moment(end_s)) for start_s, end_s in spans]
    return summed([line.as_dict() for line in lines] for lines, _ in bills), sum(total for _, total in bills)


def _pieces(trial: Trial, cut: Cut, whole: Ranked, units: int) -> dict[str, Any]:
    """The pieces against the contiguous run that would be had without them."""
    return pieces_as_json(
        cut=cut, offer=trial.shelf.offer(cut.offer.id), whole=whole, beside=trial.shelf.offer(whole.offer.id),
        snapshot=trial.snapshot, units=units, restart_s=trial.ask.restart_s,
    )  # fmt: skip
