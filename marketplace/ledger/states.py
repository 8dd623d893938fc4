"""The legal moves of an invoice."""

from marketplace.common.states import StateTable

INVOICE = StateTable(kind="invoice", moves={"draft": ("issued",), "issued": ()})
