"""What a key may be allowed to do."""

from collections.abc import Iterable

SUBJECTS = ("offers", "jobs", "reservations", "wallet", "usage", "bank", "energy", "receipts", "webhooks", "org")
AGENT = "agent"
SCOPES = frozenset({f"{subject}:{act}" for subject in SUBJECTS for act in ("read", "write")} | {AGENT})


def allows(scopes: Iterable[str], wanted: str) -> bool:
    """Whether a key with `scopes` may do what needs `wanted`; `x:write` includes `x:read`."""
    subject, _, act = wanted.partition(":")
    return bool(set(scopes) & ({wanted, f"{subject}:write"} if act == "read" else {wanted}))
