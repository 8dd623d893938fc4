"""Why a job runs where it runs, or what keeps it waiting, as the API and the page show it."""

from typing import Any

from marketplace.common.clock import rfc3339
from scheduler.asks import moment
from scheduler.core.explain import refusal_sentence
from scheduler.explaining import PENDING, refusal_as_told, sentence_of, source_of
from scheduler.models import Allocation, Job, MatchRound
from scheduler.stopping import stops_after, with_the_stop


def why_of(job: Job) -> dict[str, Any]:
    """The explanation of the job's last allocation; for a waiting job its refusal.

    `pending`: a big round placed it and its full reasons are still being written; the offer is named already.
    """
    attempts = list(job.attempts.all())
    refusal = refusal_as_told(job.unplaced) if job.unplaced and job.state == "queued" else None
    if not attempts:
        return _waiting(job, refusal)
    allocation, stops_after_s = attempts[-1].allocation, stops_after(job, attempts[-1])
    if allocation.reservation_id is not None:
        return _waiting(job, refusal) | {"sentence": sentence_of(allocation), "title": allocation.offer.title}
    told: dict[str, Any] = dict(allocation.why)
    if PENDING in told:
        return _pending(job, refusal, allocation) | {"stops_after_s": stops_after_s}
    return {
        "object": "why",
        "job": job.public_id,
        "sentence": with_the_stop(told["sentence"], stops_after_s),
        "stops_after_s": stops_after_s,
        "chosen": _entry(told["chosen"]) | {"total_minor": allocation.contract.total_minor},
        "runner_up": _entry(told["runner_up"]) if told["runner_up"] else None,
        "others": [_entry(each) for each in told["others"]],
        "refused": [dict(each) | {"sentence": refusal_sentence(tuple(each["limits"]))} for each in told["refused"]],
        "rejected": told["rejected"],
        "relax": refusal["relax"] if refusal else [],
        "unplaced": refusal,
        "break_even": told["break_even"],
        "weights": told["weights"],
        "considered": told["considered"],
        "reference": told["reference"],
        "round": told["round"],
        "pending": False,
        "reservation": None,
    }


def _pending(job: Job, refusal: dict[str, Any] | None, allocation: Allocation) -> dict[str, Any]:
    rounds = MatchRound.objects.select_related("reference").only("public_id", "reference")
    round_ = rounds.get(pk=allocation.round_id or 0)
    known = {"sentence": sentence_of(allocation), "title": allocation.offer.title, "rejected": {}, "pending": True}
    return _waiting(job, refusal) | known | source_of(round_)


def _entry(stored: dict[str, Any]) -> dict[str, Any]:
    times = {"start": rfc3339(moment(stored["start_s"])), "end": rfc3339(moment(stored["end_s"]))}
    return {name: value for name, value in stored.items() if name not in {"start_s", "end_s"}} | times


def _waiting(job: Job, refusal: dict[str, Any] | None) -> dict[str, Any]:
    sentence = "No match round has looked at it yet."
    if job.reservation is not None:
        sentence = f"It waits for units of reservation {job.reservation.public_id}."
    elif refusal:
        ways = refusal["relax"]
        sentence = ways[0]["sentence"] if ways else "Nothing fits yet, and no single change would help."
    return {
        "object": "why", "job": job.public_id, "sentence": sentence, "chosen": None, "runner_up": None, "others": [],
        "refused": [], "rejected": refusal["rejected"] if refusal else {}, "relax": refusal["relax"] if refusal else [],
        "unplaced": refusal, "break_even": [], "weights": job.ask["weights"], "considered": 0, "reference": None,
        "round": None, "pending": False, "stops_after_s": None,
        "reservation": job.reservation.public_id if job.reservation else None,
    }  # fmt: skip
