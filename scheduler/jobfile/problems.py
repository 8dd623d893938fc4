"""What the job file's readers say back: problems that refuse a file, and the report on one that was accepted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

INVALID = "job_file_invalid"
UNSUPPORTED = "job_field_unsupported"
MOST_PROBLEMS = 100  # nobody mends more at once, and a hostile file must not buy a long answer with few bytes

Action = Literal["kept", "renamed", "defaulted", "dropped", "refused"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse a file.

    `pointer` is an RFC 6901 JSON Pointer into the file as written, `line` and `column` count from 1 and are None
    where the input carries no positions (a JSON tree). `hint` is the nearest valid value, when there is one.
    """

    pointer: str
    code: str
    detail: str
    hint: str | None = None
    line: int | None = None
    column: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The problem as one element of `errors[]` of an API answer."""
        return asdict(self)


class JobFileInvalid(ValueError):
    """The file cannot become a job; `errors` names every problem found, in the order of the file."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        self.errors: tuple[Problem, ...] = tuple(errors)
        first = self.errors[0]
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        super().__init__(f"{first.pointer or 'file'}: {first.detail}{more}")

    @property
    def code(self) -> str:
        """`job_field_unsupported` when nothing else is wrong with the file, else `job_file_invalid`."""
        return UNSUPPORTED if all(error.code == UNSUPPORTED for error in self.errors) else INVALID


@dataclass(frozen=True, slots=True)
class ReportLine:
    """What became of one field: `to` is the new pointer of a renamed field, the JSON text of a defaulted value."""

    pointer: str
    action: Action
    to: str | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The line as the API writes it."""
        return asdict(self)


def pointer_to(parent: str, *keys: str | int) -> str:
    """`parent` extended by `keys`, escaped as RFC 6901 asks."""
    return parent + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def pointer_keys(pointer: str) -> list[str]:
    """The unescaped keys of a pointer; the whole document has none."""
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
