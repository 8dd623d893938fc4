"""Errors that state facts. The API layer alone turns a code into an HTTP answer."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


class DomainError(Exception):
    """A rule of the market refused something; `facts` says what, `hint` how to mend it."""

    code: ClassVar[str] = "validation_failed"

    def __init__(self, detail: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.facts = facts


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field that is wrong: where (JSON pointer, or line and column of a text), why, and how to mend it.

    The column of a table is its heading.
    """

    pointer: str
    code: str
    detail: str
    hint: str = ""
    line: int | None = None
    column: int | str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


class ValidationFailed(DomainError):
    """One or more fields are wrong; nothing was written."""

    code = "validation_failed"

    def __init__(self, problems: Sequence[FieldProblem], *, detail: str = "", **facts: Any) -> None:
        super().__init__(detail or "; ".join(f"{p.pointer}: {p.detail}" for p in problems), **facts)
        self.problems = list(problems)


class NotFound(DomainError):
    """No such object, or it belongs to somebody else."""

    code = "not_found"


class IllegalState(DomainError):
    """The object's state does not allow this move."""

    code = "illegal_state"


class StaleVersion(DomainError):
    """Somebody changed the object since it was read."""

    code = "stale_version"


class InvalidParameter(ValidationFailed):
    """A query value that cannot be used."""

    code = "invalid_parameter"


class UnknownParameter(DomainError):
    """A query name that means nothing here."""

    code = "unknown_parameter"


class MalformedBody(DomainError):
    """The body could not be read as what it claims to be."""

    code = "malformed_body"


class TooLarge(DomainError):
    """More bytes than this call takes."""

    code = "too_large"


class PreconditionRequired(DomainError):
    """The change must say which version of the object it was decided on."""

    code = "precondition_required"


class RateLimited(DomainError):
    """Too many calls in the last minute."""

    code = "rate_limited"


class Unavailable(DomainError):
    """Something the market needs does not answer right now; asking again later helps."""

    code = "unavailable"
