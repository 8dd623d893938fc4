"""The legal moves of payments, refunds, disputes, payouts and invoices."""

from marketplace.common.states import StateTable

# A payment that was given up may still succeed: the processor has the last word.
PAYMENT = StateTable(
    kind="payment",
    moves={
        "new": ("open", "processing", "succeeded", "failed", "cancelled"),
        "open": ("processing", "succeeded", "failed", "cancelled"),
        "processing": ("succeeded", "failed", "cancelled"),
        "failed": ("succeeded",),
        "cancelled": ("succeeded",),
        "succeeded": (),
    },
)
# A refund may fail after it had succeeded: the card's bank sent it back.
REFUND = StateTable(
    kind="refund",
    moves={
        "new": ("pending", "succeeded", "failed"),
        "pending": ("succeeded", "failed"),
        "succeeded": ("failed",),
        "failed": (),
    },
)
PAYOUT = StateTable(
    kind="payout",
    moves={"due": ("sending",), "sending": ("paid", "due"), "paid": ("reversed",), "reversed": ()},
)
JOURNAL_REQUEST = StateTable(
    kind="journal_request", moves={"waiting": ("booked", "refused"), "booked": (), "refused": ()}
)
CARD_DISPUTE = StateTable(
    kind="dispute",
    moves={"inquiry": ("open", "won", "lost"), "open": ("won", "lost"), "won": (), "lost": ()},
)
INVOICE = StateTable(kind="invoice", moves={"draft": ("issued",), "issued": ()})
