"""The cost export and the invoices of a month with many charges; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.focus --charges 100000 --others 100000

Makes a database of its own beside the one DATABASE_URL names, and drops it. One buyer has `--charges` charges in one
month, each with a contract, an attempt and a metered record of its own, every second one taxed and every hundredth one
credited; another has `--others` in the same month. The export is written piece by piece as the API sends it, and
thrown away. Exit status 3 when it has not one row for each charge, credit and tax.
"""

import argparse
import json
import os
import platform
import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks.database import own_database

START = datetime(2026, 11, 1, tzinfo=UTC)
NUMBERS = """
    CREATE TEMPORARY TABLE numbered ON COMMIT DROP AS
    SELECT n, lpad(n::text, 20, '0') AS name, '2026-11-01T00:00Z'::timestamptz + n %% 700 * interval '1 hour' AS at
    FROM generate_series(%(first)s, %(last)s) AS n
"""
ROWS = (
    """
    INSERT INTO booking_contract (id, public_id, subject, buyer_id, provider_id, offer_id, units, start, "end",
        currency, rate_mm, seconds, electricity_mm, fee_bp, tax_bp, price_lines, total_minor, terms, created_at)
    SELECT n, 'ctr_' || name, 'alc_' || name, %(buyer)s, %(provider)s, %(offer)s, 4, at, at + interval '3 h', 'USD',
        '{199000, 199000, 199000}', '{3600, 3600, 3600}', 0, 400, 0,
        '[{"code": "compute", "amount_minor": 600}, {"code": "platform_fee", "amount_minor": 24}]', 624, '{}', now()
    FROM numbered
    """,
    """
    INSERT INTO booking_chargeline (public_id, contract_id, meter, seq, attempt, idle, during, quantity, charge_minor,
        fee_minor, provider_minor, tax_minor, livemode, frozen, pending_left, matures_at, created_at)
    SELECT 'chl_' || name, n, 'unit_second', 1, 'att_' || name, false, tstzrange(at, at + interval '1 h'), 14400, 200,
        24, 176, n %% 2 * 40, false, false, 176, now(), at + interval '1 h'
    FROM numbered
    """,
    """
    INSERT INTO booking_servicecredit (public_id, buyer_id, contract_id, kind, subject, asset, livemode, base_minor,
        amount_minor, fee_minor, tax_minor, provider_minor, facts, created_at)
    SELECT 'crd_' || name, %(buyer)s, n, 'interruption', 'att_' || name, 'USD', false, 200, 20, 2, 0, 18, '{}',
        at + interval '1 h'
    FROM numbered WHERE n %% 100 = 0
    """,
    """
    INSERT INTO booking_usagerecord (public_id, attempt, contract_id, during, units, milliseconds, cpu_ms,
        peak_memory_bytes, bytes_in, bytes_out, energy_wh, site_wh, energy_method, carbon_ug, renewable_ppm,
        signal_quality, flagged, line, signature, created_at)
    SELECT 'use_' || name, 'att_' || name, n, tstzrange(at, at + interval '1 h'), 4, 3600000, 0, 0, 0, 0, 700, 840,
        'metered', 1, 500000, 'metered', '', '', '', now()
    FROM numbered
    """,
    """
    INSERT INTO scheduler_attempt (public_id, job_id, allocation_id, number, state, reason, message, cpu_ms,
        peak_memory_bytes, log_bytes, version, created_at, started_at, ended_at)
    SELECT 'att_' || name, n, n, 1, 'ended', 'succeeded', '', 0, 0, 0, 1, at, at, now()
    FROM numbered
    """,
    """
    INSERT INTO scheduler_job (id, public_id, buyer_id, name, file, spec, ask, ask_sha256, segment, units, time_limit_s,
        retries, state, reason, version, attempts_made, excluded_sites, budget_stated, budget_stop, due_at, created_at,
        started_at, finished_at)
    SELECT n, 'job_' || name, %(buyer)s, 'benchmark', '{}', '{}', '{}', '', 'accelerator', 4, 3600, 2, 'succeeded', '',
        1, 1, '{}', false, false, at, at, at, at + interval '1 h'
    FROM numbered
    """,
    "DROP TABLE numbered",
)


def fill(buyers: list[Any], counts: list[int]) -> None:
    """Charges of each buyer and what they come from, written past the triggers, which look at rows one by one."""
    from django.db import connection, transaction  # noqa: PLC0415

    offer, first = make_offer(), 1
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for buyer, count in zip(buyers, counts, strict=True):
            values = {
                "buyer": buyer.pk, "provider": offer.site.provider_id, "offer": offer.pk, "first": first,
                "last": first + count - 1,
            }  # fmt: skip
            for statement in (NUMBERS, *ROWS):
                cursor.execute(statement, values)
            first += count
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def make_offer() -> Any:
    """Where everything ran."""
    from accounts.models import Organization  # noqa: PLC0415
    from marketplace.catalog.models import HOURS_OF_WEEK, HardwareClass, Offer  # noqa: PLC0415
    from marketplace.catalog.sites import add_site  # noqa: PLC0415
    from marketplace.energy.models import GridZone  # noqa: PLC0415

    provider = Organization.objects.create(name="Provider", country="DE", created_at=START)
    zone = GridZone.objects.create(code="DE", name="Germany", country="DE", timezone="UTC")
    site = add_site(
        provider=provider, name="North Hall", locality="Nauen", kind="datacenter", country="DE", region="eu-central",
        latitude=52.6, longitude=12.9, zone=zone, created_at=START,
    )  # fmt: skip
    hardware = HardwareClass.objects.create(
        slug="h100-sxm", accelerator="H100", vendor="NVIDIA", family="accelerator", memory_gb=80, pf_milli=989,
        benchmark="dense BF16", vcpus=26, ram_gb=256, interconnect="NVLink", idle_w=140, max_w=980,
    )  # fmt: skip
    return Offer.objects.create(
        site=site, hardware=hardware, title="H100", units=8, rate_mm=[199_000] * HOURS_OF_WEEK, state="live",
        created_at=START,
    )  # fmt: skip


def peak_mb() -> int:
    """The most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def export(buyer: Any) -> dict[str, Any]:
    """Write the export once, as the API does."""
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from marketplace.booking.focus import focus_rows  # noqa: PLC0415
    from marketplace.common.months import Month  # noqa: PLC0415
    from scheduler.focusrows import focus_charges, focus_credits  # noqa: PLC0415

    month, before, size, lines, first = Month.of(START), peak_mb(), 0, -1, 0.0
    with CaptureQueriesContext(connection) as asked:
        began, cpu = time.perf_counter(), time.process_time()
        rows = focus_rows(focus_charges([buyer], month), focus_credits([buyer], month), issuer="Exchange Ltd")
        for piece in rows:
            first = first or time.perf_counter() - began
            size, lines = size + len(piece), lines + piece.count("\n")
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "rows": lines, "seconds": round(took, 2), "cpu_s": round(cpu, 2), "first_piece_s": round(first, 2),
        "bytes": size, "questions": len(asked), "memory_grew_mb": peak_mb() - before,
    }  # fmt: skip


def invoice() -> dict[str, Any]:
    """Bill the month of everybody, and find that nothing is left."""
    from marketplace.booking.invoicing import due, issue_due  # noqa: PLC0415
    from scheduler.billing import orders_of  # noqa: PLC0415

    now, began = datetime(2026, 12, 4, tzinfo=UTC), time.perf_counter()
    issued = issue_due(now=now, orders=orders_of)
    took, began = time.perf_counter() - began, time.perf_counter()
    left = due(now=now, most=10)
    return {
        "invoices": len(issued), "seconds": round(took, 2), "left": len(left),
        "seconds_to_find_nothing": round(time.perf_counter() - began, 2),
    }  # fmt: skip


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    from accounts.models import Organization  # noqa: PLC0415

    buyers = [Organization.objects.create(name=f"Buyer {n}", country="DE", created_at=START) for n in range(2)]
    fill(buyers, [asked.charges, asked.others])
    exports = [export(buyers[0]) for _ in range(asked.repeat)]
    return {
        "charges": asked.charges,
        "others": asked.others,
        "exports": exports,
        "expected_rows": asked.charges + (asked.charges + 1) // 2 + asked.charges // 100,
        "invoices": invoice() if asked.invoices else None,
        "versions": {"python": platform.python_version(), "machine": platform.platform(), "cpus": os.cpu_count()},
    }  # fmt: skip


def main() -> int:
    ask = argparse.ArgumentParser(description="The cost export of a month with many charges.")
    ask.add_argument("--charges", type=int, default=100_000)
    ask.add_argument("--others", type=int, default=100_000)
    ask.add_argument("--repeat", type=int, default=3)
    ask.add_argument("--invoices", action="store_true", help="bill the month too")
    asked = ask.parse_args(sys.argv[1:])
    with own_database():
        figures = measure(asked)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 3 if any(each["rows"] != figures["expected_rows"] for each in figures["exports"]) else 0


if __name__ == "__main__":
    sys.exit(main())
