"""What stops the launcher, said so that a person can mend it."""


class Trouble(Exception):
    """A start that cannot go on: what happened, how to mend it, and the exit status."""

    def __init__(self, what: str, *, mend: str, status: int = 1) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend
        self.status = status

    def __str__(self) -> str:
        return f"{self.what}\n  Mend: {self.mend}"
