"""Receipts in the stand-in marketplace, and files of them in the folder of a session."""

import json
from pathlib import Path
from typing import Any

from marketplace.energy.receipts.signing import Signer
from tests.energy.receipt_papers import SIGNER, at, certificate, file_bytes, hash_of, hour, keys_of, payload

from .answers import page
from .stand_in import Answer, StandIn

STRANGER = Signer("of somebody else")
WORK = {"subject": {"kind": "job", "id": "job_4f21"}, "id": "rct_88c1"}


def versions(**changes: Any) -> list[dict[str, Any]]:
    """A provisional version on the grid alone, and a final one of which 600 of 1000 Wh are matched."""
    first = payload([hour(settled=False)], status="provisional", **WORK, **changes)
    sun = certificate(0, 0, 600, scheme="METER")
    last = payload([hour(onsite_wh=600)], [sun], version=2, prev_sha256=hash_of(first), **WORK, **changes)
    return [first, last]


def summary() -> dict[str, Any]:
    """The last version as the API lists it."""
    _, last = versions()
    names = ("id", "version", "status", "settled", "sample", "subject", "buyer", "issued_at", "totals", "shares")
    sites = [{"id": "sit_0", "name": "Site 0"}]
    more = {
        "object": "receipt",
        "excerpt": False,
        "sites": sites,
        "start": at(0),
        "end": at(1),
        "sha256": hash_of(last),
    }
    return {name: last[name] for name in names} | more


def set_up(market: StandIn) -> None:
    """Routes and files."""
    whole = file_bytes(*versions())
    market.on("GET", "/receipts", Answer(page([summary()])))
    market.on("GET", "/receipts/rct_88c1", Answer(whole))
    market.on("GET", "/receipts/rct_88c1/pdf", Answer(b"%PDF-1.4", headers={"Content-Type": "application/pdf"}))
    market.on("GET", "/receipts/keys", Answer(keys_of()), Answer(keys_of()), Answer(keys_of(STRANGER)))
    changed = json.loads(whole)
    changed["versions"][1]["payload"]["hours"][0]["site_wh"] += 1
    files = {
        "r.json": whole,
        "early.json": file_bytes(versions()[0]),
        "changed.json": json.dumps(changed).encode(),
        "forged.json": file_bytes(*versions(), signer=STRANGER),
        "sample.json": file_bytes(*versions(sample=True)),
        "cut.json": whole[:-100],
        "keys.json": json.dumps(keys_of(SIGNER)).encode(),
        "others.json": json.dumps(keys_of(STRANGER)).encode(),
    }
    for name, content in files.items():
        Path(name).write_bytes(content)
