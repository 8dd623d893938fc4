"""The receipts of a month as a PDF: a row each, the sums last, and what the figures are for."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketplace.common.pdfsheet import INK, INK_2, INK_3, LABEL, LEFT, RIGHT, SUNKEN, Sheet, Style, wrapped
from marketplace.energy.receipts.words import kilowatt_hours, mass, scopes_words, share, status_name

Report = Mapping[str, Any]
SMALL, TINY, CELL, STRONG = Style(8, INK_2), Style(6.6, INK_3), Style(7.6, INK), Style(7.6, INK, bold=True)
NAME = Style(6.8, INK, bold=True)  # a whole id fits
ROW = 31
EDGES = tuple(RIGHT - 4 - offset for offset in (328, 284, 246, 208, 166, 110, 54, 0))


def report_pdf(report: Report) -> bytes:
    """The document, in the language that is active."""

    def head(sheet: Sheet) -> None:
        if sheet.page > 1:
            sheet.text(LEFT, report["organization"]["name"], SMALL)
            sheet.text(RIGHT, report["month"], STRONG, right=True)
            sheet.y -= 12
        if report["sample"]:
            _band(sheet)
        if sheet.page > 1:
            _names(sheet)

    def foot(page: int, pages: int) -> str:
        words = _("Page %(page)d of %(pages)d") % {"page": page, "pages": pages}
        return "  ·  ".join([report["organization"]["name"], report["month"], words])

    sheet = Sheet(title=f"{report['organization']['id']} {report['month']}", author="Joulemart", head=head, foot=foot)
    _title(sheet, report)
    _names(sheet)
    for row in report["rows"]:
        sheet.room(ROW)
        _row(sheet, row)
    _sums(sheet, report)
    return sheet.finish()


def _band(sheet: Sheet) -> None:
    sheet.y -= 14
    sheet.box(19, color=LABEL)
    sheet.y += 6
    sheet.text(
        LEFT + 8, _("SAMPLE DATA: invented for demonstration, no evidence of anything"), Style(8.5, INK, bold=True)
    )
    sheet.y -= 14


def _title(sheet: Sheet, report: Report) -> None:
    sheet.y -= 20
    sheet.text(LEFT, _("Electricity and carbon of computing"), Style(18, INK, bold=True))
    sheet.text(RIGHT, report["month"], Style(13, INK, bold=True), right=True)
    sheet.y -= 16
    sheet.text(LEFT, f"{report['organization']['name']}  ·  {report['organization']['id']}", SMALL)
    sheet.y -= 16
    notes = [
        _("One row for each green receipt in its latest version, with the hours that lie in this month (UTC)."),
        _("Location-based, market-based and life-cycle carbon stand side by side and are never netted. "
          "* no residual mix is known for all hours: the grid's average stands in."),
        scopes_words(),
    ]  # fmt: skip
    if report["provisional"]:
        count = report["provisional"]
        words = ngettext(
            "%(count)d receipt is provisional: its figures may still change.",
            "%(count)d receipts are provisional: their figures may still change.",
            count,
        )
        notes.append(words % {"count": count})
    for note in notes:
        sheet.lines(LEFT, wrapped(note, SMALL, RIGHT - LEFT, 2), SMALL, 11)
    sheet.y -= 4


def _names(sheet: Sheet) -> None:
    sheet.y -= 10
    sheet.box(15, color=SUNKEN)
    sheet.y += 4.5
    sheet.text(LEFT + 4, _("Receipt"), TINY)
    names = (
        _("kWh"), _("Matched"), _("Blended"), _("Grid"), _("Metered"), _("Location-based"), _("Market-based"),
        _("Life-cycle"),
    )  # fmt: skip
    for x, name in zip(EDGES, names, strict=True):
        sheet.text(x, name, TINY, right=True)
    sheet.y -= 15


def _figures(sheet: Sheet, row: Report, style: Style) -> None:
    none = not row["onsite_wh"] + row["certificate_wh"]
    cells = (
        kilowatt_hours(row["site_wh"]), share(row["matched_ppm"], exact=none), share(row["blended_ppm"]),
        share(row["grid_ppm"]), share(row["measured_ppm"]), mass(row["location_ug"]),
        mass(row["market_ug"]) + ("" if row["residual"] else "*"), mass(row["lifecycle_ug"]),
    )  # fmt: skip
    for x, text in zip(EDGES, cells, strict=True):
        sheet.text(x, text, style, right=True)


def _row(sheet: Sheet, row: Report) -> None:
    top = sheet.y
    status = f"{status_name(row['status'])} · {_('Version %(version)d') % {'version': row['version']}}"
    _figures(sheet, row, CELL)
    width = EDGES[0] - LEFT - 40
    for text, style in ((row["receipt"], NAME), ("; ".join(row["sites"]), TINY), (status, TINY)):
        sheet.lines(LEFT + 4, wrapped(text, style, width, 1), style, 8.6)
    sheet.y = top - ROW + 10
    sheet.rule()
    sheet.y = top - ROW


def _sums(sheet: Sheet, report: Report) -> None:
    sheet.room(2 * ROW)
    if not report["rows"]:
        sheet.text(LEFT + 4, _("No electricity was receipted in this month."), SMALL)
        return
    sheet.text(LEFT + 4, _("All receipts"), STRONG)
    _figures(sheet, report["totals"], STRONG)
    sheet.y -= 5
    sheet.rule(color=INK, width=1)
    sheet.y -= 14
    totals = report["totals"]
    if totals["volume_wh"]:
        facts = {"mass": mass(totals["market_with_volume_ug"])}
        words = _("Market-based, counting certificates that are matched by volume only, not by the hour: %(mass)s.")
        sheet.lines(LEFT, wrapped(words % facts, SMALL, RIGHT - LEFT, 2), SMALL, 11)
