"""An invoice as a PDF, from the same figures as its JSON."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from marketplace.common.clock import read_rfc3339
from marketplace.common.currencies import to_major
from marketplace.common.months import MOMENT
from marketplace.common.pdfsheet import INK, INK_2, INK_3, LABEL, LEFT, RIGHT, SUNKEN, Sheet, Style, wrapped
from marketplace.ledger.invoiceview import payment_words, percent_text

WHAT, WHEN, QUANTITY, PRICE, TAX, AMOUNT = LEFT + 20, LEFT + 196, LEFT + 342, LEFT + 398, LEFT + 430, RIGHT
SMALL, TINY, STRONG = Style(8, INK_2), Style(7, INK_3), Style(8.2, INK, bold=True)
MINUS = "\N{MINUS SIGN}"
ROW = 49  # points of a line


def invoice_pdf(invoice: Mapping[str, Any]) -> bytes:
    """The document of an invoice, given as `invoice_as_json` does, in the language that is active."""
    number, issuer = invoice["number"], issuer_name(invoice)

    def head(sheet: Sheet) -> None:
        if sheet.page > 1:
            sheet.text(LEFT, issuer, SMALL)
            sheet.text(RIGHT, number, STRONG, right=True)
            sheet.y -= 16
        _test_band(sheet, invoice)
        if sheet.page > 1:
            _column_names(sheet, invoice)

    def foot(page: int, pages: int) -> str:
        words = _("Page %(page)d of %(pages)d") % {"page": page, "pages": pages}
        return "  ·  ".join([issuer, number, words])

    sheet = Sheet(title=number, author=issuer, head=head, foot=foot)
    _title(sheet, invoice, issuer)
    _parties(sheet, invoice, issuer)
    _column_names(sheet, invoice)
    for line in invoice["lines"]:
        _line(sheet, invoice, line)
    _totals(sheet, invoice)
    return sheet.finish()


def issuer_name(invoice: Mapping[str, Any]) -> str:
    """Who bills; test money may come from a market whose operator has not said its name."""
    return str(invoice["issuer"]["name"]) or _("Operator of this market (no name set)")


def amount(minor: int, currency: str) -> str:
    """`1,827.00`, `−1.00`, `1,827` of a currency without decimals, `0.005` of one with three."""
    whole, point, part = to_major(abs(minor), currency).partition(".")
    return f"{MINUS if minor < 0 else ''}{int(whole):,}{point}{part}"


def _test_band(sheet: Sheet, invoice: Mapping[str, Any]) -> None:
    if invoice["livemode"]:
        return
    sheet.y -= 14
    sheet.box(20, color=LABEL)
    sheet.y += 6.5
    sheet.text(LEFT + 8, payment_words(invoice["kind"], False), Style(9, INK, bold=True))
    sheet.y -= 26


def _title(sheet: Sheet, invoice: Mapping[str, Any], issuer: str) -> None:
    sheet.y -= 14
    kind = _("Credit note") if invoice["kind"] == "credit_note" else _("Invoice")
    sheet.text(LEFT, kind, Style(20, INK, bold=True))
    sheet.text(RIGHT, invoice["number"], Style(13, INK, bold=True), right=True)
    sheet.y -= 22
    facts = [
        (_("Issued"), invoice["issued_at"][:10]),
        (_("Period"), _period(invoice)),
        (_("Currency"), invoice["currency"]),
        (_("Corrects"), invoice["corrects"]),
        (pgettext("invoice", "Order"), invoice["order"]),
        (_("Your reference"), invoice["buyer"]["reference"]),
    ]
    shown = [(name, value) for name, value in facts if value]
    for name, value in shown:
        sheet.text(LEFT, name, SMALL)
        sheet.lines(LEFT + 90, wrapped(value, Style(8), RIGHT - LEFT - 90, 2), Style(8), 12)
    sheet.y -= 8


def _period(invoice: Mapping[str, Any]) -> str:
    """`2026-11-01 – 2026-11-30` of a month, with times of an order."""
    start, end = (read_rfc3339(invoice["period"][name]) for name in ("start", "end"))
    if invoice["scope"] == "month":
        return f"{start:%Y-%m-%d} – {end - MOMENT:%Y-%m-%d} (UTC)"
    return f"{start:%Y-%m-%d %H:%M:%S} – {end:%Y-%m-%d %H:%M:%S} (UTC)"


def _parties(sheet: Sheet, invoice: Mapping[str, Any], issuer: str) -> None:
    sheet.rule(color=INK, width=1)
    sheet.y -= 14
    top, middle, lowest = sheet.y, (LEFT + RIGHT) / 2, sheet.y
    buyer = invoice["buyer"]
    for x, name, who, title in (
        (LEFT, pgettext("invoice", "From"), invoice["issuer"] | {"id": ""}, issuer),
        (middle + 6, _("Bill to"), buyer, buyer["name"]),
    ):  # fmt: skip
        sheet.y, width = top, middle - LEFT - 12
        sheet.lines(x, [name], TINY, 13)
        sheet.lines(x, wrapped(title, Style(9.5, bold=True), width, 2), Style(9.5, bold=True), 13)
        tax = _("Tax number %(number)s") % {"number": who["tax_id"]} if who["tax_id"] else ""
        for text in (*who["address"].splitlines(), who["country"], tax, who["id"]):
            if text:
                sheet.lines(x, wrapped(text, SMALL, width, 2), SMALL, 11.5)
        lowest = min(lowest, sheet.y)
    sheet.y = lowest - 12


def _column_names(sheet: Sheet, invoice: Mapping[str, Any]) -> None:
    sheet.y -= 8
    sheet.box(17, color=SUNKEN)
    sheet.y += 5.5
    sheet.text(LEFT + 4, "#", TINY)
    sheet.text(WHAT, _("What and where"), TINY)
    sheet.text(WHEN, _("When (UTC)"), TINY)
    money = {"currency": invoice["currency"]}
    for x, name in (
        (QUANTITY, _("Quantity")), (PRICE, _("Unit price")), (TAX, _("Tax")),
        (AMOUNT, _("Amount, %(currency)s") % money),
    ):  # fmt: skip
        sheet.text(x - (4 if x == AMOUNT else 0), name, TINY, right=True)
    sheet.y -= 17


def _line(sheet: Sheet, invoice: Mapping[str, Any], line: Mapping[str, Any]) -> None:
    sheet.room(ROW)
    top, facts = sheet.y, line["facts"]
    what, when = (_credit if facts["type"] == "credit" else _charge)(facts)
    sheet.text(LEFT + 4, str(line["position"]), TINY)
    for x, rows, width in ((WHAT, what, WHEN - WHAT - 8), (WHEN, when, 92)):
        sheet.y = top
        for place, row in enumerate(rows):
            style = TINY if x == WHAT and place else STRONG if x == WHAT else SMALL
            sheet.lines(x, wrapped(row, style, width, 1), style, 10)
    sheet.y = top
    sheet.text(QUANTITY, line["quantity"] or "", Style(8), right=True)
    sheet.text(PRICE, line["unit_price"] or "", Style(8), right=True)
    sheet.text(TAX, f"{percent_text(line['tax_bp'])} %", SMALL, right=True)
    sheet.text(AMOUNT - 4, amount(line["amount_minor"], invoice["currency"]), Style(8.2), right=True)
    sheet.y = top - 10
    sheet.text(QUANTITY, unit_name(line["unit"]), TINY, right=True)
    if line["tax_minor"]:
        tax = _("tax %(amount)s") % {"amount": amount(line["tax_minor"], invoice["currency"])}
        sheet.text(AMOUNT - 4, tax, TINY, right=True)
    sheet.y = top - ROW + 13
    sheet.rule()
    sheet.y = top - ROW


def unit_name(unit: str | None) -> str:
    """The unit as people read it; the name in the data stays English."""
    names = {"Unit-Hours": _("unit-hours"), "Core-Hours": _("core-hours")}
    return names.get(unit or "", unit or "")


def _charge(facts: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(what and where, when) of a charge."""
    units = f"{facts['hardware']} × {facts['units']}"
    if facts["idle"]:
        units = _("%(what)s, promised and unused") % {"what": units}
    where = f"{facts['site']}, {facts['locality']} {facts['country']} ({facts['zone']})"
    start, end = (read_rfc3339(facts[name]) for name in ("start", "end"))
    return [units, where, facts["provider"], facts["order"]], [
        f"{start:%Y-%m-%d %H:%M:%S} –",
        f"{end:%Y-%m-%d %H:%M:%S}",
    ]


def _credit(facts: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(what, when) of a credit."""
    return [credit_name(facts["credit"]), facts["subject"], facts["order"]], [facts["at"][:19].replace("T", " ")]


def credit_name(kind: str) -> str:
    """Why something was given back."""
    names = {
        "interruption": _("Credit: interrupted by the provider"),
        "usage_dispute": _("Credit: disputed use"),
        "green": _("Credit: green promise missed"),
        "goodwill": _("Credit: goodwill"),
    }
    return names.get(kind, kind)


def _totals(sheet: Sheet, invoice: Mapping[str, Any]) -> None:
    currency, taxes = invoice["currency"], invoice["taxes"]
    sheet.room(64 + 13 * len(taxes))
    sheet.y -= 6
    rows = [(pgettext("before tax", "Net"), invoice["net_minor"])]
    for tax in taxes:
        facts = {"percent": percent_text(tax["tax_bp"]), "net": amount(tax["net_minor"], currency), "text": tax["text"]}
        words = _("Tax %(percent)s %% on %(net)s") % facts
        rows.append((f"{words} · {tax['text']}" if tax["text"] else words, tax["tax_minor"]))
    for name, minor in rows:
        [shown] = wrapped(name, SMALL, AMOUNT - LEFT - 90, 1)
        sheet.text(AMOUNT - 84, shown, SMALL, right=True)
        sheet.text(AMOUNT - 4, amount(minor, currency), Style(8.2), right=True)
        sheet.y -= 13
    sheet.y += 4
    sheet.rule(start=AMOUNT - 220, color=INK, width=1)
    sheet.y -= 15
    sheet.text(AMOUNT - 84, _("Total"), Style(10, INK, bold=True), right=True)
    total = f"{currency} {amount(invoice['total_minor'], currency)}"
    sheet.text(AMOUNT - 4, total, Style(10, INK, bold=True), right=True)
    sheet.y -= 16
    sheet.text(AMOUNT - 4, payment_words(invoice["kind"], invoice["livemode"]), SMALL, right=True)
