"""What the page of one job shows: its steps, its attempts, the end of its log, its meters and its reasons."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from frontend.components import states
from frontend.components.formats import duration, rate
from frontend.store import limitwords
from marketplace.energy.use import UG_PER_G
from marketplace.events.models import Event
from scheduler.core.feasibility import FILTERS
from scheduler.logs import read_log
from scheduler.models import Attempt, Job
from scheduler.states import JOB

SHOWN_LOG_BYTES = 24_000
PATH = ("queued", "allocated", "starting", "running", "succeeded")
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
MARKET_OWN = frozenset({"served", "family", "currency"})
TERMS = ("price", "latency", "green", "carbon", "waiting", "move")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as the page shows it; `attempt` is set on the first line of each attempt when there are several."""

    clock: str
    text: str
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class LogTail:
    """The last lines; `after` is where a follower goes on; `cut` when older lines were left out."""

    lines: tuple[LogLine, ...]
    after: str
    cut: bool


def zone_of_job(attempts: Sequence[Attempt]) -> str:
    """The time zone of the site the job runs or ran at; UTC before it has one."""
    return attempts[-1].allocation.offer.site.zone.timezone if attempts else "UTC"


def timeline(job: Job) -> list[dict[str, Any]]:
    """The path to success with the time each step was last reached; a job that ended otherwise ends with that."""
    reached = _reached(job)
    path = list(PATH) if job.state in PATH else [*(step for step in PATH[:-1] if step in reached), job.state]
    here = path.index(job.state)
    steps = []
    for index, key in enumerate(path):
        tone = "done" if index < here else "" if index > here else _tone(job.state)
        at = reached.get(key) if index <= here else None
        steps.append({"key": key, "name": states.name(key), "state": tone, "at": at})
    return steps


def _reached(job: Job) -> dict[str, datetime]:
    """{state: when it was reached}, from the last time the job was queued on."""
    reached: dict[str, datetime] = {}
    moves = [f"job.{state}" for state in JOB.moves]
    for event in Event.objects.of_object(job.public_id).of_types(moves).order_by("object_seq"):
        if event.state == "queued":
            reached = {}
        reached[event.state] = event.at
    return reached


def _tone(state: str) -> str:
    if state in JOB.open:
        return "now"
    return "done" if state == "succeeded" else "bad"


def attempts_as_steps(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each attempt with its outcome in one sentence, the newest first."""
    steps = []
    for attempt in reversed(view["attempts"]):
        ended = attempt["state"] == "ended"
        tone = "now" if not ended else "good" if attempt["reason"] == "succeeded" else "bad"
        text = attempt["sentence"]
        if attempt["seconds"]:
            text += " " + _("It ran for %(time)s.") % {"time": duration(attempt["seconds"])}
        steps.append(
            {
                "tone": tone,
                "title": _("Attempt %(number)d") % {"number": attempt["number"]},
                "at": moment(attempt["created_at"]),
                "text": text,
            }
        )
    return steps


def moment(text: str | None) -> datetime | None:
    """RFC 3339 back to a datetime."""
    return datetime.fromisoformat(text) if text else None


def log_tail(job: Job, attempts: Sequence[Attempt]) -> LogTail:
    """The last 24 kB of the log over all attempts, line by line."""
    number, offset, cut = _tail_start(attempts)
    several = len([attempt for attempt in attempts if attempt.log_bytes]) > 1
    lines: list[LogLine] = []
    after, last = "0-0", 0
    for part in read_log(job, number=number, offset=offset, limit=10_000):
        clock = part.at.astimezone(UTC).strftime("%H:%M:%S")
        for index, text in enumerate(part.text.rstrip("\n").split("\n")):
            head = part.number if several and part.number != last and not index else None
            lines.append(LogLine(clock, printable(text), head))
        last, after = part.number, f"{part.number}-{part.next_offset}"
    return LogTail(tuple(lines), after, cut)


def _tail_start(attempts: Sequence[Attempt]) -> tuple[int, int, bool]:
    """(attempt number, byte) where the shown part begins, and whether something comes before it."""
    room = SHOWN_LOG_BYTES
    for attempt in reversed(attempts):
        if attempt.log_bytes > room:
            return attempt.number, attempt.log_bytes - room, True
        room -= attempt.log_bytes
    return 0, 0, False


def printable(text: str) -> str:
    """A line as a page shows it: after the last carriage return, without colours and control characters."""
    return CONTROLS.sub("", text.rstrip("\r").rsplit("\r", 1)[-1])


def energy_facts(view: Mapping[str, Any]) -> dict[str, Any] | None:
    """The energy label of what was metered so far; None before the first meter."""
    usage = view["usage"]
    if not usage["quality"] or not usage["energy_wh"]:
        return None
    method = usage["energy_method"] or ""
    return {
        "per": _("This job"),
        "window": duration(usage["seconds"]),
        "carbon_g": Decimal(usage["carbon_ug"]) / UG_PER_G,
        "energy_wh": usage["energy_wh"],
        "carbon_mg_per_kwh": -(-usage["carbon_ug"] // usage["energy_wh"]),
        "renewable_name": _("Renewable share of the grid"),
        "renewable_share_ppm": usage["renewable_share_ppm"],
        "energy_quality": "modelled" if method.startswith("modelled") else "metered",
        "quality": usage["quality"],
    }


def carbon_cap(view: Mapping[str, Any]) -> dict[str, Any] | None:
    """Carbon to date against the job's cap, if it has one; `share` of 1, at most 1."""
    used, cap = view["carbon"]["to_date_g"], view["carbon"]["cap_g"]
    return None if cap is None else {"used_g": used, "cap_g": cap, "share": min(1, used / cap) if cap else 1}


def reasons(why: Mapping[str, Any], view: Mapping[str, Any]) -> dict[str, Any]:
    """The explanation for the page: contenders with their figures, refusals by reason, ways out that can be taken."""
    chosen, runner_up = why.get("chosen"), why.get("runner_up")
    others = [_contender(each, view) for each in why.get("others", [])]
    sentence = _sentence(chosen, runner_up, why) if chosen else ""
    if why.get("pending"):
        sentence = _("%(offer)s takes it. The reasons of this big round are still being written.") % {
            "offer": why["title"]
        }
    inside = bool(why.get("reservation") and view.get("allocation"))
    if inside:
        sentence = _("It runs inside your reservation, where offer and price were settled.")
    return {
        "sentence": sentence,
        "inside": inside,
        "pending": bool(why.get("pending")),
        "chosen": _contender(chosen, view) if chosen else None,
        "runner_up": _contender(runner_up, view) if runner_up else None,
        "others": [each for each in others if not runner_up or each["offer"] != runner_up["offer"]],
        "refused": refused_by_reason(why.get("refused", [])),
        "refused_count": len(why.get("refused", [])),
        "rejected": counts(why.get("rejected", {})),
        "relax": ways_out(why.get("relax", []), view),
        "considered": why.get("considered"),
        "round": why.get("round"),
    }


def _contender(entry: Mapping[str, Any], view: Mapping[str, Any]) -> dict[str, Any]:
    """One offer of the ranking; `terms` per PFLOP-hour, empty terms left out."""
    site = entry.get("site")
    names = _term_names()
    terms = [
        {"name": names[name], "swatch": name, "amount": rate(entry["terms"][name], view["currency"])}
        for name in TERMS
        if entry["terms"].get(name) or name in TERMS[:3]
    ]
    difference = entry.get("difference") or {}
    return dict(entry) | {
        "site_name": site["name"] if isinstance(site, Mapping) else site or "",
        "terms": terms,
        "differences": [
            {"name": names[name], "amount": _signed(difference[name], view["currency"])}
            for name in TERMS
            if difference.get(name)
        ],
        "start": moment(entry["start"]) if entry.get("start") else None,
    }


def _signed(mm: int, currency: str) -> str:
    return f"{'+' if mm > 0 else ''}{rate(mm, currency)}"


def _term_names() -> dict[str, str]:
    return {
        "price": _("Price"),
        "latency": _("Latency"),
        "green": _("Green"),
        "carbon": _("Carbon"),
        "waiting": _("Waiting"),
        "move": _("Moving data"),
    }


def _sentence(chosen: Mapping[str, Any], runner_up: Mapping[str, Any] | None, why: Mapping[str, Any]) -> str:
    """One sentence from the numbers that decided, in the reader's language."""
    facts = {"offer": chosen["title"], "considered": why.get("considered") or 0}
    if runner_up is None:
        return _("%(offer)s is the only one of %(considered)d offers that fits.") % facts
    names = _term_names()
    ahead = {name: chosen["fit"][name] - runner_up["fit"][name] for name in ("price", "latency", "green")}
    best = max(ahead, key=lambda name: ahead[name])
    facts |= {"second": runner_up["title"], "axis": names[best].lower()}
    if ahead[best] <= 0:
        return _("%(offer)s starts soonest of the offers that cost the least; %(second)s comes next.") % facts
    return _("%(offer)s costs least of %(considered)d offers, ahead of %(second)s mainly on %(axis)s.") % facts


def refused_by_reason(refused: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Refused offers under what refused them, the most frequent reason first; every offer is named."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for each in refused:
        groups.setdefault(tuple(each["limits"]), []).append(each)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return [{"reason": limitwords.refusal(codes), "offers": offers} for codes, offers in ordered]


def ways_out(relax: Sequence[Mapping[str, Any]], view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What would help, in words; `value` is what the button sends, empty where it is no limit of a waiting job.

    What the market itself demands of an offer is nobody's to relax.
    """
    out = []
    for each in relax:
        changes = limitwords.changes_of(each)
        if MARKET_OWN & set(changes):
            continue
        out.append(
            {
                "sentence": limitwords.relaxing(changes, view["currency"]),
                "offers": each.get("offers", 1),
                "changes": changes,
                "value": json.dumps(changes) if all(name in FILTERS for name in changes) else "",
            }
        )
    return out


def counts(rejected: Mapping[str, int]) -> list[dict[str, Any]]:
    """How many offers each limit keeps away, the strictest first."""
    ordered = sorted(rejected.items(), key=lambda each: (-each[1], each[0]))
    return [{"reason": limitwords.refusal([code]), "offers": count} for code, count in ordered]


def limits_in_words(view: Mapping[str, Any]) -> list[str]:
    """Each limit of the job as a person would say it; the currency goes without saying."""
    return [
        limitwords.relaxing({name: value}, view["currency"])
        for name, value in view["limits"].items()
        if name != "currency"
    ]


def promised_window(view: Mapping[str, Any]) -> tuple[datetime | None, datetime | None] | None:
    """[start, end) of the allocation, if there is one."""
    allocation = view["allocation"]
    return (moment(allocation["start"]), moment(allocation["end"])) if allocation else None
