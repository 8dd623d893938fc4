"""Thousands of orders in which a processor's messages may arrive, doubled, late or lost: the books must not tell them
apart. Prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.webhook_orders --orders 5000

In a database of its own beside the one that DATABASE_URL names. Each order goes on from the same beginning of its flow,
in a transaction that is rolled back in the end, with its deferred constraints checked; around the steps of the flow any
messages arrive. Exit status 1 when an order leaves other books, or the checks of `verify_invariants` find anything.
"""

import argparse
import json
import platform
import sys
import time
from datetime import timedelta
from random import Random
from typing import Any

from benchmarks.database import own_database


def try_orders(flow: str, orders: int) -> dict[str, Any]:
    """Begin a flow, let it go on in order, then in so many orders that dice choose."""
    from tests.ledger.flows import Begun  # noqa: PLC0415 - Django comes first

    began, different = time.perf_counter(), []
    flow_begun = Begun(flow)
    expected = flow_begun.books(None)
    for seed in range(orders):
        if flow_begun.books(Random(seed)) != expected:  # noqa: S311
            different.append(seed)
    return {
        "flow": flow, "orders": orders, "different": len(different), "first": different[:3],
        "seconds": round(time.perf_counter() - began),
    }  # fmt: skip


def main() -> int:
    """Try every flow; 1 when the books of one depend on the order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=5000)
    parser.add_argument("--only", nargs="*", default=[], help="numbers of flows, from 1; each run has its own database")
    asked = parser.parse_args()
    with own_database(migrated=True):
        from django.db import connection  # noqa: PLC0415

        from config.invariants.books import CHECKS as BOOKS  # noqa: PLC0415
        from config.invariants.running import verify  # noqa: PLC0415
        from tests.ledger.flows import FLOWS  # noqa: PLC0415

        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")  # what is tried here is order, not loss
        chosen = [flow for number, flow in enumerate(FLOWS, 1) if not asked.only or str(number) in asked.only]
        flows = [try_orders(flow, asked.orders) for flow in chosen]
        _, findings = verify(BOOKS, late=timedelta(seconds=60))
    off = {each.id: each.anomalies_total for each in findings if each.anomalies_total}
    answer = {"flows": flows, "checks": len(findings), "off": off, "python": platform.python_version()}
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 1 if off or any(each["different"] for each in flows) else 0


if __name__ == "__main__":
    sys.exit(main())
