"""The legal moves of a job and the ends of an attempt."""

from typing import Final

from marketplace.common.states import StateTable

JOB = StateTable(
    kind="job",
    moves={
        "queued": ("allocated", "expired", "cancelled"),
        "allocated": ("starting", "queued", "cancelled"),
        "starting": ("running", "queued", "failed", "cancelled"),
        "running": ("succeeded", "failed", "queued", "cancelled"),
        "succeeded": (),
        "failed": (),
        "cancelled": (),
        "expired": (),
    },
)

ATTEMPT = StateTable(
    kind="attempt",
    moves={
        "pending": ("starting", "ended"),
        "starting": ("running", "ended"),
        "running": ("ended",),
        "ended": (),
    },
)

NOT_FIRM: Final = "not_confirmed"  # why a job waits inside a reservation that is only held
RESERVATION_OVER: Final = "reservation_over"  # why a job ends that waited inside a reservation
TIME_LIMIT: Final = "time_limit"
BUDGET_LIMIT: Final = "budget_limit"  # what its job's budget pays for has run
REPLANNED: Final = "replanned"  # before it started, for a better promise
PIECE_OVER: Final = "piece_over"  # the hours of a piece have passed: the work goes on in the next one
END_REASONS: Final = (
    "succeeded",
    "exit_nonzero",
    TIME_LIMIT,
    BUDGET_LIMIT,
    "out_of_memory",
    "cancelled",
    "preempted",
    REPLANNED,
    PIECE_OVER,
    "lease_lost",
    "node_failed",
    "image_failed",
    "input_missing",
    "output_failed",
    "agent_error",
)
# The machine's fault, never the program's: another attempt may end better.
RETRIED: Final = frozenset({"preempted", "lease_lost", "node_failed", "agent_error"})
# Another attempt is better made elsewhere.
SITE_FAILED: Final = frozenset({"lease_lost", "node_failed", "agent_error"})
# Seconds of these ends are the provider's loss; but see `is_paid`.
NOT_PAID: Final = frozenset({"lease_lost", "node_failed", "agent_error", "image_failed", "input_missing", "preempted"})
# Firm work that the provider ended earns its buyer a credit.
PROVIDERS_FAULT: Final = frozenset({"preempted", "lease_lost", "node_failed", "agent_error"})
PAID_FROM_S: Final = 3600


def is_paid(reason: str, *, tier: str, ran_s: int) -> bool:
    """Whether the buyer pays the seconds of an attempt that ended so; "" is one that runs (money.md, section 3).

    Interruptible work that made room pays from an hour of running on: it has had what it was sold.
    """
    if reason == "preempted" and tier == "interruptible":
        return ran_s >= PAID_FROM_S
    return reason not in NOT_PAID
