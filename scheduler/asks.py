"""Stored asks → the core's types: what it needs to know of a job or a quote request, in integers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from scheduler.core.types import LimitValue, Rates


def ask_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an ask that is stored as JSON, back in the core's types."""
    rates = stored.get("rates")
    return {
        "units": stored["units"],
        "run_s": stored["run_s"],
        "weights": tuple(stored["weights"]),
        "rates": Rates(**rates) if rates else None,
        "when": stored["when"],
        "near": stored["near"],
        "limits": frozen_limits(stored["limits"]),
        "reference_pf_milli": stored.get("reference_pf_milli"),
        "time_limit_by_class": stored.get("time_limit_by_class", {}),
        "max_pieces": stored.get("max_pieces") or 1,
        "restart_s": stored.get("restart_s", 0),
    }


def frozen_limits(limits: Mapping[str, Any]) -> dict[str, LimitValue]:
    """JSON lists become tuples; the rest stays."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in limits.items()}


def seconds(moment: datetime) -> int:
    """Unix seconds, rounded down."""
    return int(moment.timestamp())


def moment(unix_seconds: int) -> datetime:
    """The aware UTC time of unix seconds."""
    return datetime.fromtimestamp(unix_seconds, UTC)
