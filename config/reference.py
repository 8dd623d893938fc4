"""The reference pages that are written from the code: error codes and state tables."""

from django.utils.translation import override

from marketplace.booking.states import RESERVATION, STANDING_ORDER, WAIT
from marketplace.catalog.states import OFFER
from marketplace.common.codes import CODES
from marketplace.common.states import StateTable
from marketplace.energy.states import LOT as CERTIFICATE_LOT
from marketplace.ledger.states import INVOICE
from scheduler.states import ATTEMPT, JOB, NOT_PAID, PAID_FROM_S, RETRIED

NOTE = "Written from the code by `manage.py write_reference`; change the code, not this page.\n"


def errors() -> str:
    """docs/errors.md: every code of the API."""
    with override("en"):
        rows = [f"| `{code}` | {entry.status} | {entry.title} |" for code, entry in sorted(CODES.items())]
    head = (
        "# Error codes\n\nErrors are `application/problem+json` (RFC 9457); `code` never changes with the language.\n"
    )
    return "\n".join([head, NOTE, "| code | status | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def states() -> str:
    """docs/states.md: every state table."""
    tables = (OFFER, RESERVATION, STANDING_ORDER, WAIT, JOB, ATTEMPT, INVOICE, CERTIFICATE_LOT)
    parts = [_table(table) for table in tables]
    ends = "\n".join(
        [
            "## How an attempt ends\n",
            "Retried while the job has tries left: " + ", ".join(f"`{each}`" for each in sorted(RETRIED)) + ".\n",
            "Not paid by the buyer: " + ", ".join(f"`{each}`" for each in sorted(NOT_PAID)) + ".\n",
            "Interruptible work that the market told to make room is tried again in any case, "
            f"and paid from {PAID_FROM_S} s on.",
        ]
    )
    head = "# States\n\nOne table per kind makes the CHECK, the trigger and the guard; each move leaves an event.\n"
    return "\n".join([head, NOTE, *parts, ends]) + "\n"


def _table(table: StateTable) -> str:
    rows = [
        f"| `{state}` | {', '.join(f'`{each}`' for each in onward) or 'final'} |"
        for state, onward in table.moves.items()
    ]
    return "\n".join(
        [f"## {table.kind.replace('_', ' ').capitalize()}\n", "| state | may become |", "| --- | --- |", *rows, ""]
    )


PAGES = {"errors.md": errors, "states.md": states}
