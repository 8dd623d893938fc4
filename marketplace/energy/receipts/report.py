"""The receipts of a month, for an organization's report of its emissions: a row each, and their sums.

A receipt that runs over a month's end is in both reports, in each with the hours of that month: nothing counts twice.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

from accounts.models import Organization
from marketplace.common.cells import plain_text, taken
from marketplace.common.clock import read_rfc3339, rfc3339
from marketplace.common.months import Month
from marketplace.common.units import PPM, decimal_text
from marketplace.energy.models import GreenReceipt
from marketplace.energy.receipts.figures import shares_of, totals_of
from marketplace.energy.receipts.payload import SCOPES

Facts = dict[str, Any]
MASSES = ("location_ug", "market_ug", "market_with_volume_ug", "lifecycle_ug")
SHARES = ("matched_ppm", "volume_ppm", "blended_ppm", "grid_ppm")
ENERGY = ("site_wh", "onsite_wh", "certificate_wh", "volume_wh", "unmatched_wh")
COLUMNS = (
    "receipt", "version", "status", "sample", "subject", "sites", "providers", "start", "end", "hours",
    "electricity_kwh", "onsite_kwh", "certificate_kwh", "volume_matched_kwh", "unmatched_kwh", "matched_share",
    "volume_matched_share", "blended_share", "grid_share", "location_based_g", "market_based_g",
    "market_based_with_volume_matched_g", "life_cycle_g", "residual_mix", "measured_share", "sha256", "scopes",
)  # fmt: skip


def report_of(*, buyer: Organization, month: Month) -> Facts:
    """The report: {month, organization, rows, totals, scopes, …}; the rows by their start."""
    found = GreenReceipt.objects.bought_by([buyer]).newest().touching(month.start, month.end)
    pairs = [(receipt, _within(receipt.payload["hours"], month)) for receipt in found.order_by("start", "public_id")]
    pairs = [(receipt, hours) for receipt, hours in pairs if hours]
    rows = [_row(receipt, hours) for receipt, hours in pairs]
    everything = [hour for _, hours in pairs for hour in hours]
    return {
        "object": "receipt_report",
        "month": str(month),
        "organization": {"id": buyer.public_id, "name": buyer.name},
        "rows": rows,
        "totals": _figures(everything),
        "provisional": sum(row["status"] == "provisional" for row in rows),
        "sample": any(row["sample"] for row in rows),
        "scopes": SCOPES,
    }


def _within(hours: Sequence[Mapping[str, Any]], month: Month) -> list[Mapping[str, Any]]:
    return [hour for hour in hours if month.start <= read_rfc3339(hour["start"]) < month.end]


def _row(receipt: GreenReceipt, hours: Sequence[Mapping[str, Any]]) -> Facts:
    payload = receipt.payload
    return {
        "receipt": receipt.public_id,
        "version": receipt.version,
        "status": receipt.status,
        "sample": receipt.sample,
        "subject": payload["subject"],
        "sites": [place["site"]["name"] for place in payload["places"]],
        "providers": sorted({place["provider"]["name"] for place in payload["places"]}),
        "start": rfc3339(receipt.start),
        "end": rfc3339(receipt.end),
        "sha256": receipt.sha256,
        **_figures(hours),
    }


def _figures(hours: Sequence[Mapping[str, Any]]) -> Facts:
    totals = totals_of(hours)
    return {
        "hours": len(hours),
        **{name: totals[name] for name in (*ENERGY, *MASSES, "residual")},
        **shares_of(hours),
        "measured_ppm": totals["measured_wh"] * PPM // totals["site_wh"] if totals["site_wh"] else 0,
    }


def report_rows(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as CSV, line by line, the sums last: exact figures, nothing rounded but shares, which round down."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in report["rows"]:
        writer.writerow(_cells(row))
        yield taken(out)
    sums = {
        "receipt": "total", "version": "", "status": "", "sample": report["sample"], "subject": {"id": ""},
        "sites": [], "providers": [], "start": "", "end": "", "sha256": "",
    }  # fmt: skip
    writer.writerow(_cells(sums | report["totals"]))
    yield taken(out)


def _cells(row: Mapping[str, Any]) -> list[str]:
    text = [row["receipt"], str(row["version"]), row["status"], _yes(row["sample"]), row["subject"]["id"]]
    text += ["; ".join(row["sites"]), "; ".join(row["providers"]), row["start"], row["end"]]
    figures = [str(row["hours"]), *(decimal_text(row[name], 3) for name in ENERGY)]
    figures += [decimal_text(row[name], 6) for name in (*SHARES, *MASSES)]
    figures += [_yes(row["residual"]), decimal_text(row["measured_ppm"], 6)]
    return [*map(plain_text, text), *figures, row["sha256"], SCOPES]


def _yes(said: bool) -> str:
    return "yes" if said else "no"
