"""An invoice as the API shows it, and as CSV; the PDF is drawn from the same."""

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from django.utils.translation import gettext as _

from marketplace.common.cells import PIECE, plain_text, taken
from marketplace.common.clock import rfc3339
from marketplace.common.currencies import to_major
from marketplace.ledger.models import Invoice, InvoiceLine

COLUMNS = (
    "invoice", "line", "source", "type", "order", "contract", "hardware", "provider", "site", "zone", "start", "end",
    "quantity", "unit", "unit_price", "tax_percent", "amount", "tax", "currency", "test_money",
)  # fmt: skip
TEST_MONEY = "TEST: no payment was made"


def invoice_summary(invoice: Invoice) -> dict[str, Any]:
    """The invoice without its lines."""
    return {
        "object": "invoice",
        "id": invoice.public_id,
        "number": invoice.label,
        "kind": invoice.kind,
        "scope": invoice.scope,
        "order": invoice.order or None,
        "corrects": invoice.corrects.label if invoice.corrects else None,
        "period": {"start": rfc3339(invoice.period_start), "end": rfc3339(invoice.period_end)},
        "issued_at": rfc3339(invoice.issued_at),
        "currency": invoice.asset,
        "livemode": invoice.livemode,
        "net_minor": invoice.net_minor,
        "tax_minor": invoice.tax_minor,
        "total_minor": invoice.total_minor,
        "note": None if invoice.livemode else TEST_MONEY,
    }


def invoice_as_json(invoice: Invoice, *, lines: bool = True) -> dict[str, Any]:
    """The invoice with who bills whom, its taxes and, unless they are left out, its lines."""
    return invoice_summary(invoice) | {
        "issuer": invoice.issuer_facts,
        "buyer": invoice.buyer_facts,
        "taxes": invoice.taxes,
        "lines": [line_as_json(line) for line in invoice.lines.all()] if lines else [],
    }


def line_as_json(line: InvoiceLine) -> dict[str, Any]:
    return {
        "object": "invoice_line",
        "position": line.position,
        "source": line.source,
        "facts": line.facts,
        "quantity": line.quantity or None,
        "unit": line.unit or None,
        "unit_price": line.unit_price or None,
        "amount_minor": line.amount_minor,
        "tax_bp": line.tax_bp,
        "tax_minor": line.tax_minor,
    }


def payment_words(kind: str, livemode: bool) -> str:
    """How the money moved, in the reader's language."""
    if not livemode:
        return _(TEST_MONEY)
    if kind == "credit_note":
        return _("Credited to the prepaid wallet.")
    return _("Paid from the prepaid wallet; nothing is due.")


def percent_text(basis_points: int) -> str:
    """1900 is `19`, 725 is `7.25`."""
    whole, part = divmod(basis_points, 100)
    return f"{whole}.{part:02d}".rstrip("0").rstrip(".") if part else str(whole)


def invoice_rows(invoice: Mapping[str, Any]) -> Iterator[str]:
    """The invoice, as `invoice_as_json` gives it, as CSV, line by line; text never begins like a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in invoice["lines"]:
        writer.writerow(_cells(invoice, line))
        if out.tell() > PIECE:
            yield taken(out)
    yield taken(out)


def _cells(invoice: Mapping[str, Any], line: Mapping[str, Any]) -> list[str]:
    facts, currency = line["facts"], invoice["currency"]
    text = [invoice["number"], str(line["position"]), line["source"], facts["type"]]
    text += [facts.get(name) or "" for name in ("order", "contract", "hardware", "provider", "site", "zone")]
    text += [facts.get("start") or facts.get("at") or "", facts.get("end") or ""]
    figures = [line["quantity"] or "", line["unit"] or "", line["unit_price"] or "", percent_text(line["tax_bp"])]
    figures += [to_major(line["amount_minor"], currency), to_major(line["tax_minor"], currency)]
    return [*map(plain_text, text), *figures, currency, "no" if invoice["livemode"] else "yes"]
