"""What the sandbox answers when it refuses, in the form of Stripe's error bodies."""

from typing import Any


class Refused(Exception):
    """An HTTP status and an error of this type and code; `kept` says whether the same key gets it again."""

    def __init__(
        self, message: str, *, status: int = 400, kind: str = "invalid_request_error", code: str = "",
        decline_code: str = "", kept: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.kept = status, kept
        self.error = {"type": kind, "code": code, "decline_code": decline_code, "message": message}

    @classmethod
    def from_answer(cls, status: int, error: dict[str, Any]) -> "Refused":
        """The refusal that was kept."""
        return cls(
            error["message"], status=status, kind=error["type"], code=error["code"], decline_code=error["decline_code"]
        )


def no_such(kind: str, name: str) -> Refused:
    return Refused(f"No such {kind}: '{name}'", status=404, code="resource_missing")
