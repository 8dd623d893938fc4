"""What can go wrong, as types: an answer's problem, a lost connection, a file that is not what was promised."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

MONEY_CODES = frozenset(
    {"budget_exceeded", "spend_limit_reached", "wallet_frozen", "payee_not_ready", "refund_exceeds_payment"}
)
NOTHING_FITS_CODES = frozenset({"no_offer_fits", "never_fits"})


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One wrong field: where (JSON pointer; line and column from 1 in a file), why, and the nearest valid value."""

    pointer: str = ""
    code: str = ""
    detail: str = ""
    hint: str = ""
    line: int | None = None
    column: int | str | None = None


class JoulemartError(Exception):
    """Everything this package raises on purpose."""

    code = "client_error"


class ConfigError(JoulemartError):
    """The address or the key cannot be read from the environment or a file."""

    code = "configuration_invalid"


class NotSignedIn(JoulemartError):
    """The call needs a key and none is configured."""

    code = "authentication_required"


class WorkdirRefused(JoulemartError):
    """The folder of a job's `workdir` cannot be sent: missing, too many files or too large."""

    code = "workdir_refused"


class ConnectionLost(JoulemartError):
    """The marketplace could not be reached, or the connection broke, on every try."""

    code = "unreachable"


class UnexpectedAnswer(JoulemartError):
    """The address answered something that is not Joulemart's API."""

    code = "unexpected_answer"


class VerificationFailed(JoulemartError):
    """A downloaded file differs from the size or SHA-256 the marketplace recorded; nothing was kept."""

    code = "check_failed"


class ReceiptRejected(VerificationFailed):
    """A receipt is no evidence: a check failed, nobody trusted signed it, or it is a sample; `code` says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ReceiptUnreadable(JoulemartError):
    """A file is no receipt, or no key set."""

    code = "unreadable"


class WaitTimedOut(JoulemartError):
    """The job has not ended within the time `wait` was given; the job goes on."""

    code = "wait_timed_out"


class ApiError(JoulemartError):
    """The marketplace refused a call: an RFC 9457 problem with its `code`, `detail`, `hint`, `errors` and `facts`."""

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after_s: float | None = None) -> None:
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("code") or f"http_{status}")
        self.title = str(problem.get("title") or "")
        self.detail = str(problem.get("detail") or self.title or f"HTTP {status}")
        self.hint = _text(problem.get("hint"))
        self.request_id = _text(problem.get("request_id"))
        self.facts: dict[str, Any] = dict(problem.get("facts") or {})
        self.errors = tuple(_field_error(entry) for entry in problem.get("errors") or () if isinstance(entry, Mapping))
        self.retry_after_s = retry_after_s
        super().__init__(f"{self.code}: {self.detail}")


class Unauthenticated(ApiError):
    """401: no key, an unknown key, or a revoked one."""


class Forbidden(ApiError):
    """403: the key lacks a scope, or the member a role."""


class NotFound(ApiError):
    """404: no such object, or another organization's."""


class MoneyRefused(ApiError):
    """402, or a budget or spending limit that the call would pass."""


class Conflict(ApiError):
    """409, 412 or 428: the object is in another state or version, or the capacity is taken."""


class Expired(Conflict):
    """410: the quote is over."""


class Invalid(ApiError):
    """400 or 422: a field is wrong; `errors` names each."""


class NothingFits(Invalid):
    """No offer meets every limit; `facts` says how many each limit rejects and what to relax."""

    @property
    def rejected(self) -> dict[str, int]:
        """Offers that each limit alone turns away, by the limit's name."""
        return dict(self.facts.get("rejected") or {})

    @property
    def relax(self) -> list[dict[str, Any]]:
        """The smallest changes that would let an offer in: `{limit, offers, to, offer, sentence}`."""
        return list(self.facts.get("relax") or [])


class RateLimited(ApiError):
    """429: too many calls; `retry_after_s` says when to come back."""


class Unavailable(ApiError):
    """5xx: the marketplace cannot answer now."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthenticated,
    402: MoneyRefused,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    412: Conflict,
    422: Invalid,
    428: Conflict,
    429: RateLimited,
}


def error_of(response: httpx.Response, *, retry_after_s: float | None = None) -> ApiError:
    """The typed error of a refused call; `response` must have been read."""
    problem = _problem_of(response)
    code = problem.get("code")
    if code in MONEY_CODES:
        kind: type[ApiError] = MoneyRefused
    elif code in NOTHING_FITS_CODES:
        kind = NothingFits
    elif code == "idempotency_mismatch":
        kind = Conflict
    else:
        kind = _BY_STATUS.get(response.status_code) or (Unavailable if response.status_code >= 500 else Invalid)
    return kind(response.status_code, problem, retry_after_s=retry_after_s)


def _problem_of(response: httpx.Response) -> dict[str, Any]:
    """The problem document, or one made from a bare answer (a proxy's page, an empty body)."""
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        body = None
    problem = body if isinstance(body, dict) else {}
    if "code" not in problem and "detail" not in problem:
        problem["detail"] = (
            f"{response.request.url.host} answered {response.status_code} {response.reason_phrase}".strip()
        )
    problem.setdefault("request_id", response.headers.get("Request-Id"))
    return problem


def _field_error(entry: Mapping[str, Any]) -> FieldError:
    return FieldError(
        pointer=_text(entry.get("pointer")),
        code=_text(entry.get("code")),
        detail=_text(entry.get("detail")),
        hint=_text(entry.get("hint")),
        line=entry.get("line"),
        column=entry.get("column"),
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
