"""The legal moves of an offer."""

from marketplace.common.states import StateTable

OFFER = StateTable(
    kind="offer",
    moves={
        "draft": ("live", "retired"),
        "live": ("paused", "retired"),
        "paused": ("live", "retired"),
        "retired": (),
    },
)
