"""What PostgreSQL itself refuses of invoices, whoever writes: triggers of their tables.

The database gives an invoice its number when it becomes issued, from the row of its series, which stays locked until
the transaction ends: one that is taken back takes its number back, and the next one waits for it.
"""

from typing import Any

import pgtrigger

from marketplace.ledger.rules import refuse

NUMBERED = """
    UPDATE ledger_invoiceseries SET last = last + 1
    WHERE id = NEW.series_id AND kind = NEW.kind AND livemode = NEW.livemode
    RETURNING last, code INTO NEW.number, series;
    IF NOT FOUND THEN {stranger} END IF;
    NEW.label = series || '-' || lpad(NEW.number::text, greatest(6, length(NEW.number::text)), '0');
    RETURN NEW;
"""
SUMS = """
    SELECT invoice.public_id, invoice.state, invoice.net_minor, invoice.tax_minor INTO known
    FROM ledger_invoice AS invoice WHERE invoice.id = NEW.id;
    SELECT count(*) AS lines, coalesce(sum(amount_minor), 0) AS net, coalesce(sum(tax_minor), 0) AS tax INTO summed
    FROM ledger_invoiceline WHERE invoice_id = NEW.id;
    IF known.public_id IS NULL THEN RETURN NULL; END IF;
    IF (known.net_minor, known.tax_minor) <> (summed.net, summed.tax) THEN {other} END IF;
    IF known.state = 'issued' AND summed.lines = 0 THEN {empty} END IF;
    RETURN NULL;
"""
OF_A_DRAFT = """
    PERFORM FROM ledger_invoice WHERE id = {row}.invoice_id AND state = 'draft' FOR SHARE;
    IF NOT FOUND THEN {closed} END IF;
    RETURN {row};
"""


def _before(name: str, operation: pgtrigger.Operation, func: str, **more: Any) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name=name, level=pgtrigger.Row, when=pgtrigger.Before, operation=operation, func=func, **more
    )


TAKES_ITS_NUMBER = _before(
    "invoice_takes_its_number",
    pgtrigger.Update,
    NUMBERED.format(
        stranger=refuse("invoice_of_its_series", "format('invoice %s names no series of its kind', NEW.public_id)")
    ),
    condition=pgtrigger.Condition("OLD.state <> 'issued' AND NEW.state = 'issued'"),
    declare=[("series", "text")],
)
ADDS_UP = pgtrigger.Trigger(
    name="invoice_adds_up",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert | pgtrigger.Update,
    timing=pgtrigger.Deferred,
    declare=[("known", "record"), ("summed", "record")],
    func=SUMS.format(
        other=refuse("invoice_adds_up", "format('invoice %s is not the sum of its lines', known.public_id)"),
        empty=refuse("invoice_has_a_line", "format('invoice %s has no line', known.public_id)"),
    ),
)
BEGINS_AS_A_DRAFT = _before(
    "invoice_begins_as_a_draft",
    pgtrigger.Insert,
    refuse("invoice_begins_as_a_draft", "'an invoice is issued, not inserted with a number'"),
    condition=pgtrigger.Condition("NEW.state <> 'draft' OR NEW.number IS NOT NULL OR NEW.label <> ''"),
)
NUMBER_BY_SERIES = pgtrigger.Protect(
    name="invoice_number_by_series",
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition(
        "NEW.state <> 'issued' AND (NEW.number IS DISTINCT FROM OLD.number OR NEW.label <> OLD.label)"
    ),
)
SERIES_BEGINS_AT_NOTHING = pgtrigger.Protect(
    name="invoice_series_begins_at_nothing", operation=pgtrigger.Insert, condition=pgtrigger.Condition("NEW.last <> 0")
)
SERIES_COUNTS_BY_ONE = _before(
    "invoice_series_counts_by_one",
    pgtrigger.Update,
    refuse("invoice_series_counts_by_one", "'only an invoice that is issued takes the next number'"),
    condition=pgtrigger.Condition(
        "pg_trigger_depth() < 1 OR NEW.last <> OLD.last + 1 OR NEW.id <> OLD.id"
        " OR (NEW.code, NEW.kind, NEW.livemode, NEW.year) IS DISTINCT FROM (OLD.code, OLD.kind, OLD.livemode, OLD.year)"
    ),
)


def line_of_a_draft(name: str, operation: pgtrigger.Operation, row: str) -> pgtrigger.Trigger:
    """Refuses a line more, or less, of an invoice that is issued; whoever issues it waits for who adds a line."""
    closed = refuse("invoice_line_of_a_draft", f"format('invoice %s is issued', {row}.invoice_id)")
    return _before(name, operation, OF_A_DRAFT.format(row=row, closed=closed))
