"""The hours of a receipt and what is certified of them, row by row on paper; every page names the columns again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _

from marketplace.common.clock import HOUR, read_rfc3339
from marketplace.common.pdfsheet import INK, INK_2, INK_3, LEFT, RIGHT, SUNKEN, Sheet, Style, wrapped
from marketplace.common.printed import grams_up, grouped
from marketplace.energy.receipts.label import part_ppm
from marketplace.energy.receipts.pdftotals import heading
from marketplace.energy.receipts.words import evidence_name, flag_name, scheme_name, share, technology_name

Payload = Mapping[str, Any]
TINY, CELL, STRONG, NOTE = Style(6.6, INK_3), Style(7.4, INK), Style(7.4, INK, bold=True), Style(7, INK_3)
ROW, FIRST_OF_DAY, CERTIFICATE = 12.5, 14, 38
# The right edge of each column of figures; the hour stands at the left.
EDGES = tuple(RIGHT - 4 - 41 * column for column in range(9, -1, -1))
WHERE, PRODUCED, CANCELLED = LEFT + 78, LEFT + 262, LEFT + 382


def draw_hours(sheet: Sheet, payload: Payload) -> None:
    """Every hour: what was used, what of it was matched, and the grid beside it."""
    sheet.room(84)
    heading(sheet, _("Hour by hour"))
    words = _("Times in UTC, electricity in Wh, intensity in g CO2e per kWh; the grid's share is of the whole grid.")
    sheet.text(LEFT, words, NOTE)
    sheet.y -= 10
    many = len(payload["places"]) > 1
    _hour_names(sheet)
    for day, hours in groupby(payload["hours"], key=lambda hour: hour["start"][:10]):
        _need(sheet, ROW + FIRST_OF_DAY, _hour_names)
        _day(sheet, day)
        for hour in hours:
            if not sheet.room(ROW):
                _hour_names(sheet)
                _day(sheet, day)
            _hour(sheet, hour, many)
    _sums(sheet, payload)


def _day(sheet: Sheet, day: str) -> None:
    sheet.text(LEFT + 4, day, STRONG)
    sheet.y -= FIRST_OF_DAY - 2


def _need(sheet: Sheet, height: float, names: Callable[[Sheet], None]) -> None:
    if not sheet.room(height):
        names(sheet)


def _hour_names(sheet: Sheet) -> None:
    names = (
        _("Machines"), _("Site"), _("On site"), _("Certificates"), _("Unmatched"), _("Matched"), _("Grid"),
        _("Direct"), _("Life-cycle"), _("Residual"),
    )  # fmt: skip
    _names(sheet, [(LEFT + 4, _("Hour"), False), *((x, name, True) for x, name in zip(EDGES, names, strict=True))])


def _names(sheet: Sheet, names: Sequence[tuple[float, str, bool]]) -> None:
    sheet.y -= 10
    sheet.box(15, color=SUNKEN)
    sheet.y += 4.5
    for x, name, right in names:
        sheet.text(x, name, TINY, right=right)
    sheet.y -= 15


def _hour(sheet: Sheet, hour: Payload, many: bool) -> None:
    site, matched = hour["site_wh"], hour["onsite_wh"] + hour["certificate_wh"]
    residual = hour["residual_mg_per_kwh"]
    cells = [grouped(hour[name]) for name in ("it_wh", "site_wh", "onsite_wh", "certificate_wh", "unmatched_wh")]
    cells += [share(part_ppm(matched, site), exact=not matched), share(hour["renewable_ppm"])]
    cells += [grouped(grams_up(hour[f"{name}_mg_per_kwh"])) for name in ("direct", "lifecycle")]
    cells.append("–" if residual is None else grouped(grams_up(residual)))
    words = [hour["start"][11:16], f"[{hour['place'] + 1}]" if many else ""]
    words += [*map(flag_name, hour["flags"]), "" if hour["settled"] else _("open")]
    sheet.text(LEFT + 4, " ".join(filter(None, words)), CELL)
    for number, (x, text) in enumerate(zip(EDGES, cells, strict=True)):
        sheet.text(x, text, STRONG if number == 5 else CELL, right=True)
    sheet.y -= 4
    sheet.rule()
    sheet.y -= ROW - 4


def _sums(sheet: Sheet, payload: Payload) -> None:
    totals, shares = payload["totals"], payload["shares"]
    sheet.room(2 * ROW)
    cells = [grouped(totals[name]) for name in ("it_wh", "site_wh", "onsite_wh", "certificate_wh", "unmatched_wh")]
    none = not totals["onsite_wh"] + totals["certificate_wh"]
    cells += [share(shares["matched_ppm"], exact=none), share(shares["grid_ppm"])]
    sheet.text(LEFT + 4, _("All hours"), STRONG)
    for x, text in zip(EDGES, cells, strict=False):
        sheet.text(x, text, STRONG, right=True)
    sheet.y -= 5
    sheet.rule(color=INK, width=1)
    sheet.y -= 12


def draw_certificates(sheet: Sheet, payload: Payload) -> None:
    """Every range of Wh with its serials, its device and its cancellation."""
    if not payload["certificates"]:
        return
    sheet.room(40 + 2 * CERTIFICATE)
    heading(sheet, _("Meter records and certificates"))
    words = _("A range counts its Wh from the first number up to, not including, the last. No Wh occurs twice.")
    sheet.text(LEFT, words, NOTE)
    sheet.y -= 10
    _certificate_names(sheet)
    for each in payload["certificates"]:
        _need(sheet, CERTIFICATE, _certificate_names)
        _certificate(sheet, each)


def _certificate_names(sheet: Sheet) -> None:
    names = (_("For the hour"), _("What, registry and range"), _("Produced by"), _("Cancelled for"))
    _names(sheet, list(zip((LEFT + 4, WHERE, PRODUCED, CANCELLED), names, (False,) * 4, strict=True)))


def _certificate(sheet: Sheet, each: Payload) -> None:
    top = sheet.y
    columns = (
        (LEFT + 4, WHERE, [each["hour"][:10], each["hour"][11:16], f"{grouped(each['to_wh'] - each['from_wh'])} Wh"]),
        (WHERE, PRODUCED, _issued(each)),
        (PRODUCED, CANCELLED, _produced(each)),
        (CANCELLED, RIGHT, list(_cancelled(each))),
    )
    for start, end, lines in columns:
        sheet.y = top
        for number, line in enumerate(lines):
            style = STRONG if not number else Style(7, INK_2)
            sheet.text(start, wrapped(line, style, end - start - 8, 1)[0], style)
            sheet.y -= 9.5
    sheet.y = top - CERTIFICATE + 9
    sheet.rule()
    sheet.y = top - CERTIFICATE


def _issued(each: Payload) -> list[str]:
    place = f"{each['registry']} · {each['issuance']}"
    serial = f"{grouped(each['from_wh'])} – {grouped(each['to_wh'])} Wh"
    return [
        scheme_name(each["scheme"], each["resolution"]), place, f"{serial} · {each['serial'] or each['lot']}",
    ]  # fmt: skip


def _produced(each: Payload) -> list[str]:
    start, end = read_rfc3339(each["start"]), read_rfc3339(each["end"])
    since = _("since %(day)s") % {"day": each["commissioned_on"]}
    until = f"{end:%H:%M}" if end - start <= HOUR else f"{end:%Y-%m-%d %H:%M}"
    span = f"{start:%Y-%m-%d %H:%M} – {until}"
    return [
        f"{technology_name(each['technology'])} · {each['device']}",
        f"{since} · {evidence_name(each['evidence'])}",
        span,
    ]


def _cancelled(each: Payload) -> Iterator[str]:
    if not each["cancelled_at"]:
        yield _("Not cancelled yet")
        return
    yield f"{read_rfc3339(each['cancelled_at']):%Y-%m-%d %H:%M}"
    if each["beneficiary"]:
        yield each["beneficiary"]
    yield each["statement"]
