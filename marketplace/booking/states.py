"""The legal moves of a reservation."""

from marketplace.common.states import StateTable

RESERVATION = StateTable(
    kind="reservation",
    moves={
        "held": ("confirmed", "expired", "cancelled"),
        "confirmed": ("active", "cancelled", "failed"),
        "active": ("completed", "failed"),
        "completed": (),
        "expired": (),
        "cancelled": (),
        "failed": (),
    },
)
