"""Commands of green receipts: receipts ls|show|verify|keys."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import config
from ..errors import ReceiptRejected, ReceiptUnreadable
from ..pins import Change, PinnedKeys
from ..receipt_objects import EvidenceFile, KeySet, Receipt
from ..receipt_resource import verified
from ..receipts import Outcome, Unreadable, read_keys
from . import figures
from .exits import UNVERIFIED
from .session import PAGE_LIMIT, Format, Session, command
from .shelf import Limit
from .tables import Column, aligned, as_json

app = typer.Typer()
receipts_app = typer.Typer(help="What work used and what of it was renewable, signed.", no_args_is_help=True)
app.add_typer(receipts_app, name="receipts")

UG_PER_G = 1_000_000
REASONS = {
    "key_untrusted": "every check passes, but no key that you trust signed it",
    "sample_data": "every check passes, but a sample is no evidence",
}


@command(receipts_app, "ls")
def ls(
    session: Session,
    status: Annotated[str | None, typer.Option(help="provisional or final.")] = None,
    subject: Annotated[str | None, typer.Option(help="Of this job or reservation.")] = None,
    limit: Limit = 20,
) -> None:
    """List your receipts in their latest versions, what ended last first."""
    found = session.client.receipts.list(status=status, subject=subject, limit=min(limit, PAGE_LIMIT))
    empty = "no receipt yet: a job or reservation has one when it has ended"
    session.show_list(found, _columns(session), limit=limit, empty=empty)
    _meet(session)


@command(receipts_app, "show")
def show(
    session: Session,
    receipt: Annotated[str, typer.Argument(metavar="RECEIPT", help="Receipt id.")],
    version: Annotated[int | None, typer.Option(min=1, help="As it was at that version.")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="Save it as a PDF.")] = None,
) -> None:
    """Show a receipt; with --json its evidence file, which `receipts verify` reads."""
    if pdf is not None:
        if not pdf.parent.is_dir():
            raise typer.BadParameter(f"there is no folder {pdf.parent}", param_hint="--pdf")
        size = pdf.write_bytes(session.client.receipts.pdf(receipt, version=version))
        session.say(f"{pdf}  {size} bytes")
    else:
        file = session.client.receipts.get(receipt, version=version)
        session.show_one(file, receipt_lines(file, session), _file_columns(), name=file.receipt)
    _meet(session)


@command(receipts_app, "verify")
def verify(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt's JSON file; - reads it from the input.")],
    keys: Annotated[Path | None, typer.Option("--keys", help="A key set (JWKS) to trust.")] = None,
) -> None:
    """Verify a receipt file without a network: signatures, versions, hours, totals, shares, certificates and charge.

    Trusted are the keys of --keys, else those pinned when the marketplace was first asked for receipts.
    """
    url = "" if keys else config.resolve(account=session.options.account).url
    try:
        outcome = verified(_bytes(file), keys=_bytes(keys) if keys else None, url=url)
    except Unreadable as error:
        raise ReceiptUnreadable(str(error)) from error
    if session.format is Format.JSON:
        session.say(as_json(outcome_as_json(outcome)))
        if not outcome.ok:
            raise typer.Exit(UNVERIFIED)
        return
    if not outcome.ok:
        _tell_rejected(session, outcome, url)
    session.say(f"valid, {outcome.status}")
    session.note(f"{outcome.receipt} version {outcome.version}, {len(outcome.checks)} checks passed")
    session.note(f"trusted: the keys {'of ' + str(keys) if keys else 'pinned for ' + url}")
    for unknown in outcome.unknown:
        session.note(f"a file cannot tell {unknown}")


@command(receipts_app, "keys")
def keys(
    session: Session,
    trust: Annotated[
        bool, typer.Option("--trust", help="Pin the keys it shows now instead of the earlier ones.")
    ] = False,
) -> None:
    """Show the keys that the marketplace signs receipts with, and which of them are pinned here."""
    shown, url = session.client.receipts.keys(), session.client.settings.url
    change = PinnedKeys().meet(url, shown.content)
    if trust:
        if change:
            session.confirm(f"Trust {_changed(change)}?")
        PinnedKeys().trust(url, shown.content)
        change = Change()
    lines = [f"{kid}  {'new, not pinned' if kid in change.new else 'pinned'}" for kid in read_keys(shown.content)]
    lines += [f"{kid}  pinned, and not shown any more" for kid in change.gone]
    session.show_one(shown, lines or ["no key yet: the first receipt brings it"], _key_columns(), name="\n".join(lines))


def _tell_rejected(session: Session, outcome: Outcome, url: str) -> None:
    """Every failed check, the first as the error. Raises ReceiptRejected."""
    if url and PinnedKeys().of(url) is None:
        session.note(f"no key is pinned for {url}: `joulemart receipts keys` does it, or give --keys")
    first, *rest = [f"{check.name}: {check.fault}" for check in outcome.failed] or [REASONS[outcome.code]]
    for each in rest:
        session.note(f"also {each}")
    raise ReceiptRejected(outcome.code, first)


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """The verdict for programs."""
    return {
        "result": outcome.code,
        "receipt": outcome.receipt,
        "version": outcome.version,
        "status": outcome.status,
        "sample": outcome.sample,
        "sha256": outcome.sha256,
        "checks": [{"name": check.name, "ok": check.ok, "fault": check.fault} for check in outcome.checks],
        "unknown": list(outcome.unknown),
    }


def receipt_lines(file: EvidenceFile, session: Session) -> list[str]:
    """A receipt for people: what it is of, its energy, three shares and three totals that are never added."""
    payload = file.payload
    totals, shares = payload["totals"], payload["shares"]
    sites = ", ".join(place["site"]["name"] for place in payload["places"])
    head = f"{payload['id']}  {payload['status']}, version {payload['version']}  {payload['subject']['id']}  {sites}"
    residual = "" if totals["residual"] else " (no residual mix)"
    rows = [
        ("electricity", figures.energy(totals["site_wh"])),
        ("renewable, matched by the hour", figures.share(shares["matched_ppm"])),
        ("blended, no claim", figures.share(shares["blended_ppm"])),
        ("grid, no claim", figures.share(shares["grid_ppm"])),
        ("carbon, location-based", figures.co2e(totals["location_ug"] / UG_PER_G)),
        ("carbon, market-based" + residual, figures.co2e(totals["market_ug"] / UG_PER_G)),
        ("carbon, life-cycle", figures.co2e(totals["lifecycle_ug"] / UG_PER_G)),
    ]
    notes = ["sample data: no evidence of anything"] if payload["sample"] else []
    return [head, *(f"  {line}" for line in aligned(rows, [False, True])), *notes]


def _meet(session: Session) -> None:
    """Pin the marketplace's keys at the first contact; tell when they have changed since."""
    url = session.client.settings.url
    change = PinnedKeys().meet(url, session.client.receipts.keys().content)
    if change.first:
        session.note(f"pinned the receipt keys of {url}")
    elif change:
        session.note(f"warning: the receipt keys of {url} have changed: {_changed(change)}; nothing was pinned.")
        session.note("  Find out why before you trust them: `joulemart receipts keys --trust`")


def _changed(change: Change) -> str:
    words = [f"{kid} is new" for kid in change.new] + [f"{kid} is gone" for kid in change.gone]
    return ", ".join(words)


def _bytes(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ReceiptUnreadable(f"{path} cannot be read: {error.strerror}") from error


def _columns(session: Session) -> list[Column[Receipt]]:
    return [
        Column("id", lambda r: r.id),
        Column("status", lambda r: r.status, lambda r: f"{r.status}{', sample' if r.sample else ''}"),
        Column("version", lambda r: r.version, lambda r: f"v{r.version}"),
        Column("subject", lambda r: r.subject.id),
        Column("end", lambda r: r.end.isoformat() if r.end else None, lambda r: figures.when(r.end, session.now)),
        Column("site_wh", lambda r: r.totals.get("site_wh"), lambda r: figures.energy(r.totals["site_wh"]), True),
        Column(
            "matched_ppm", lambda r: r.shares.get("matched_ppm"), lambda r: figures.share(r.shares["matched_ppm"]), True
        ),
        Column("location_ug", lambda r: r.totals.get("location_ug"), _location, True),
    ]


def _location(receipt: Receipt) -> str:
    return figures.co2e(receipt.totals["location_ug"] / UG_PER_G)


def _file_columns() -> list[Column[EvidenceFile]]:
    return [
        Column("id", lambda f: f.receipt),
        Column("status", lambda f: f.payload["status"]),
        Column("version", lambda f: f.payload["version"]),
        Column("site_wh", lambda f: f.payload["totals"]["site_wh"]),
        Column("matched_ppm", lambda f: f.payload["shares"]["matched_ppm"]),
        Column("location_ug", lambda f: f.payload["totals"]["location_ug"]),
    ]


def _key_columns() -> list[Column[KeySet]]:
    return [Column("kids", lambda shown: " ".join(read_keys(shown.content)))]
