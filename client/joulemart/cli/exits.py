"""Exit codes, and errors as a stranger would like them: what happened, which field, the mend."""

import os
from typing import Any

from ..errors import (
    ApiError,
    ConfigError,
    Conflict,
    ConnectionLost,
    FieldError,
    Forbidden,
    Invalid,
    JoulemartError,
    MoneyRefused,
    NotFound,
    NothingFits,
    NotSignedIn,
    RateLimited,
    ReceiptUnreadable,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    VerificationFailed,
    WaitTimedOut,
    WorkdirRefused,
)

DONE, JOB_FAILED, USAGE, SIGN_IN, NOT_FOUND, CONFLICT, INVALID, MONEY, UNAVAILABLE, UNVERIFIED = range(10)
INTERRUPTED = 130

_CODES: tuple[tuple[type[JoulemartError], int], ...] = (
    (ConfigError, USAGE),
    (WorkdirRefused, INVALID),
    (ReceiptUnreadable, INVALID),
    (NotSignedIn, SIGN_IN),
    (Unauthenticated, SIGN_IN),
    (Forbidden, SIGN_IN),
    (NotFound, NOT_FOUND),
    (Conflict, CONFLICT),
    (Invalid, INVALID),
    (MoneyRefused, MONEY),
    (RateLimited, UNAVAILABLE),
    (Unavailable, UNAVAILABLE),
    (ConnectionLost, UNAVAILABLE),
    (UnexpectedAnswer, UNAVAILABLE),
    (WaitTimedOut, UNAVAILABLE),
    (VerificationFailed, UNVERIFIED),
)


def exit_code(error: JoulemartError) -> int:
    """The exit code of section 7 for an error."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def describe(error: JoulemartError, *, file: str | None = None) -> list[str]:
    """The lines shown for an error: the first ones name code, place and mend, the rest help further."""
    code = exit_code(error)
    if not isinstance(error, ApiError):
        return [f"{error.code}  {error}  [exit {code}]"]
    if error.errors:
        lines = [f"{error.code}  {_place(entry, file)}{_field(entry)}" for entry in error.errors]
    else:
        lines = [f"{error.code}  {with_hint(error.detail, error.hint)}"]
    lines[-1] += f"  [exit {code}]"
    return lines + [f"  {line}" for line in _help(error)]


def as_problem(error: JoulemartError) -> dict[str, Any]:
    """The error for programs: the server's problem as it came, or its like, with the exit code."""
    problem = error.problem if isinstance(error, ApiError) else {"code": error.code, "detail": str(error)}
    return {**problem, "exit": exit_code(error)}


def with_hint(detail: str, hint: str) -> str:
    """A detail followed by the nearest valid value, unless it names that already."""
    if not hint or hint in detail:
        return detail
    if " " in hint:
        return f"{detail}; {hint}"
    if not detail or detail.startswith("unknown"):
        return f"did you mean {hint}?"
    return f"{detail}; did you mean {hint}?"


def _place(entry: FieldError, file: str | None) -> str:
    if entry.line is None:
        return ""
    column = f":{entry.column}" if isinstance(entry.column, int) else ""
    return f"{file or 'file'}:{entry.line}{column}  "


def _field(entry: FieldError) -> str:
    text = with_hint(entry.detail or entry.code, entry.hint)
    if isinstance(entry.column, str):  # of a table: its heading
        return f"{entry.column}: {entry.code}: {text}"
    return f"{entry.pointer}: {text}" if entry.pointer else text


def _help(error: ApiError) -> list[str]:
    if isinstance(error, NothingFits):
        return relaxations(error.rejected, error.relax)
    lines = []
    if (faults := error.facts.get("faults") or 0) > len(error.errors):
        lines.append(f"… and {faults - len(error.errors)} more")
    if next_quote := error.facts.get("next_quote"):
        lines.append(f"next best: {next_quote.get('id') if isinstance(next_quote, dict) else next_quote}")
    if error.retry_after_s is not None:
        lines.append(f"try again in {error.retry_after_s:.0f} s")
    if isinstance(error, Unauthenticated):
        lines.append("sign in with `joulemart login`, or check JOULEMART_API_KEY")
    if isinstance(error, Unavailable) and error.request_id:
        lines.append(f"request {error.request_id}")
    return lines


def relaxations(rejected: dict[str, int], relax: list[dict[str, Any]]) -> list[str]:
    """Which limits turn offers away, and the smallest change of each that would help."""
    lines = []
    if rejected:
        lines.append("turned away: " + ", ".join(f"{count} by {limit}" for limit, count in rejected.items()))
    for entry in relax:
        count = entry.get("offers") or 0
        said = f"{entry.get('limit')} to {entry.get('to')}: {count} {'offer' if count == 1 else 'offers'}"
        lines.append(f"relax {entry['sentence'] if entry.get('sentence') else said}")
    return lines


def is_plain(stream_is_terminal: bool) -> bool:
    """Whether to leave colour and spinners out."""
    return not stream_is_terminal or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
