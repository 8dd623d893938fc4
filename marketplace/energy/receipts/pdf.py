"""A receipt as a PDF, from the payload alone: what an auditor reads beside the JSON file, which is the evidence."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from marketplace.common.clock import read_rfc3339
from marketplace.common.pdfsheet import INK, INK_2, INK_3, LABEL, LEFT, RIGHT, SUNKEN, Sheet, Style, wrapped
from marketplace.energy.receipts.excerpt import is_excerpt
from marketplace.energy.receipts.pdflabel import draw_label, draw_shares
from marketplace.energy.receipts.pdfproof import draw_proof
from marketplace.energy.receipts.pdftables import draw_certificates, draw_hours
from marketplace.energy.receipts.pdftotals import draw_totals
from marketplace.energy.receipts.words import status_name, subject_name

Payload = Mapping[str, Any]
SMALL, TINY, STRONG, NAME = Style(8, INK_2), Style(7, INK_3), Style(8.2, INK, bold=True), Style(9.5, INK, bold=True)
LABEL_WIDTH = 236


def receipt_pdf(payload: Payload, *, sha256: str, kid: str) -> bytes:
    """The document, in the language that is active. `sha256` is of the whole receipt, also where this is an excerpt."""

    def head(sheet: Sheet) -> None:
        if sheet.page > 1:
            sheet.text(LEFT, _("Green receipt"), SMALL)
            sheet.text(RIGHT, payload["id"], STRONG, right=True)
            sheet.y -= 16
        for words, color in _bands(payload):
            _band(sheet, words, color)

    def foot(page: int, pages: int) -> str:
        words = _("Page %(page)d of %(pages)d") % {"page": page, "pages": pages}
        version = _("Version %(version)d") % {"version": payload["version"]}
        return "  ·  ".join([payload["id"], version, f"SHA-256 {sha256[:16]}…", words])

    sheet = Sheet(title=payload["id"], author="Joulemart", head=head, foot=foot)
    _title(sheet, payload)
    _parties(sheet, payload)
    top = sheet.y
    draw_label(sheet, payload, LEFT, LEFT + LABEL_WIDTH)
    lowest, sheet.y = sheet.y, top
    draw_shares(sheet, payload, LEFT + LABEL_WIDTH + 22, RIGHT)
    sheet.y = min(lowest, sheet.y) - 10
    draw_totals(sheet, payload)
    draw_hours(sheet, payload)
    draw_certificates(sheet, payload)
    draw_proof(sheet, payload, sha256=sha256, kid=kid)
    return sheet.finish()


def _bands(payload: Payload) -> list[tuple[str, str]]:
    """What every page has to say first."""
    bands = []
    if payload["sample"]:
        bands.append((_("SAMPLE DATA: invented for demonstration, no evidence of anything"), LABEL))
    if payload["status"] == "provisional":
        bands.append((_("PROVISIONAL: figures may still change; a later version replaces this one"), SUNKEN))
    if is_excerpt(payload):
        bands.append((_("EXCERPT for the provider: its own sites alone; the buyer's file is the evidence"), SUNKEN))
    return bands


def _band(sheet: Sheet, words: str, color: str) -> None:
    sheet.y -= 14
    sheet.box(19, color=color)
    sheet.y += 6
    sheet.text(LEFT + 8, words, Style(8.5, INK, bold=True))
    sheet.y -= 14


def _title(sheet: Sheet, payload: Payload) -> None:
    sheet.y -= 20
    sheet.text(LEFT, _("Green receipt"), Style(20, INK, bold=True))
    sheet.text(RIGHT, payload["id"], Style(10, INK, bold=True), right=True)
    sheet.y -= 15
    facts = {"version": payload["version"], "at": _minute(payload["issued_at"])}
    words = _("Version %(version)d, issued %(at)s UTC") % facts
    sheet.text(LEFT, f"{status_name(payload['status'])}  ·  {words}", SMALL)
    sheet.text(RIGHT, payload["subject"]["id"], TINY, right=True)
    sheet.y -= 10


def _parties(sheet: Sheet, payload: Payload) -> None:
    sheet.rule(color=INK, width=1)
    sheet.y -= 13
    top, middle = sheet.y, (LEFT + RIGHT) / 2
    _buyer(sheet, payload, middle - LEFT - 12)
    lowest, sheet.y = sheet.y, top
    for number, place in enumerate(payload["places"]):
        _place(sheet, place, middle + 6, RIGHT - middle - 6, number if len(payload["places"]) > 1 else None)
    sheet.y = min(lowest, sheet.y) - 6


def _buyer(sheet: Sheet, payload: Payload, width: float) -> None:
    buyer, period = payload["buyer"], payload["period"]
    named = {"subject": subject_name(payload["subject"]["kind"]), "id": payload["subject"]["id"]}
    sheet.lines(LEFT, [_("Used by")], TINY, 12)
    if "name" in buyer:
        sheet.lines(LEFT, wrapped(buyer["name"], NAME, width, 2), NAME, 12)
    sheet.lines(LEFT, [buyer["id"], f"{named['subject']} {named['id']}"], SMALL, 11)
    sheet.lines(LEFT, [f"{_second(period['start'])} – {_second(period['end'])} UTC"], SMALL, 11)


def _place(sheet: Sheet, place: Payload, x: float, width: float, number: int | None) -> None:
    title = _("Provider and site") if number is None else _("Site %(number)d") % {"number": number + 1}
    site = place["site"]
    where = ", ".join(part for part in (site["name"], site.get("locality", ""), place["country"]) if part)
    zone = _("Grid zone %(zone)s, market boundary %(boundary)s") % {
        "zone": place["zone"], "boundary": place["boundary"],
    }  # fmt: skip
    sheet.lines(x, [title], TINY, 12)
    sheet.lines(x, wrapped(place["provider"]["name"], NAME, width, 2), NAME, 12)
    for text in (where, zone):
        sheet.lines(x, wrapped(text, SMALL, width, 2), SMALL, 11)
    sheet.y -= 3


def _minute(text: str) -> str:
    return f"{_read(text):%Y-%m-%d %H:%M}"


def _second(text: str) -> str:
    return f"{_read(text):%Y-%m-%d %H:%M:%S}"


def _read(text: str) -> datetime:
    return read_rfc3339(text)
