"""What a job file says of work in pieces (`max_pieces`, `checkpoint.restart_s`), and what must hold for that."""

from collections.abc import Iterator, Mapping
from typing import Any

from scheduler.core.types import MOST_PIECES
from scheduler.jobfile.problems import ReportLine
from scheduler.jobfile.reading import Reader

LEAST_PIECE_S = 7200
MOST_RESTART_S = 7200
NO_PIECES_NOW = "work that starts now takes no later hours"
NOT_BESIDE = {
    "gang_id": "the jobs of a gang run as one: they have no pieces of their own",
    "reservation": "inside a reservation the hours are chosen already",
    "budget_stop": "the pieces of a job that stops by its budget cannot be promised",
    "reference_class": "pieces are of one length on all hardware",
    "time_limit_by_class": "pieces are of one length on all hardware",
}
WHOLE = {"max_pieces": 1, "restart_s": 0}


def pieces_of(market: Reader, fields: Mapping[str, Any]) -> dict[str, int]:
    """`max_pieces` and `restart_s`; `fields` is what else the file asks for."""
    checkpoint = market.inside("checkpoint")
    pieces = market.whole("max_pieces", 1, MOST_PIECES) or 1
    restart_s = checkpoint.whole("restart_s", 0, MOST_RESTART_S) or 0
    if pieces == 1:
        if "restart_s" in checkpoint.value:
            detail = "a run is one piece, so no restart is counted"
            checkpoint.report.append(ReportLine(f"{checkpoint.pointer}/restart_s", "dropped", None, detail))
        return WHOLE
    for detail, mend in _problems(fields, restart_s):
        market.problem("max_pieces", detail, mend)
    return {"max_pieces": pieces, "restart_s": restart_s}


def _problems(fields: Mapping[str, Any], restart_s: int) -> Iterator[tuple[str, str]]:
    """(what keeps the work from being cut, what would mend it)."""
    if fields["checkpoint"] is None:
        yield "work in pieces goes on from its checkpoint: it needs one", "checkpoint: {path: ckpt, grace_s: 60}"
    if _firm_alone(fields):
        yield "work in pieces is stopped in between: it must accept interruptible units", "tier: [firm, interruptible]"
    if fields["when"] == "now":
        yield NO_PIECES_NOW, "when: greenest"
    if fields["time_limit_s"] + restart_s < 2 * LEAST_PIECE_S:
        yield f"two pieces of {LEAST_PIECE_S} s are more than its run", f"time_limit_s: {2 * LEAST_PIECE_S}"
    yield from ((detail, f"leave out {name} or max_pieces") for name, detail in NOT_BESIDE.items() if fields[name])


def _firm_alone(fields: Mapping[str, Any]) -> bool:
    accepted = [fields["tier"]] if fields["tier"] else fields["limits"].get("tier", ["interruptible"])
    return "interruptible" not in accepted
