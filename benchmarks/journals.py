"""Journals written by several processes at once; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.journals --writers 8 --seconds 5 --repeat 5

Makes a database of its own beside the one DATABASE_URL names, and drops it. Each writer is a process with a connection
of its own and calls `marketplace.ledger.services.post` again and again: a hold of a buyer drawn from `--buyers`, then
its capture in three parts (provider, fee, tax) from the hold. Every journal is a transaction with COMMIT and fsync.
The writers are the role of the application, or with `--as-owner` the owner of the tables.
Afterwards the books are added up by the checks of `verify_invariants`. Exit status 3 when one of them finds anything,
or a writer met an error.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.database import own_database

FORK = multiprocessing.get_context("fork")
MUCH = 10**12  # minor units of each buyer


def fund(buyers: int) -> list[tuple[Any, ...]]:
    """(available, held, provider's pending) of each buyer, with money; (fee, tax) last."""
    from accounts.models import Organization  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.ledger.lines import credit, debit  # noqa: PLC0415
    from marketplace.ledger.services import account_of, post  # noqa: PLC0415

    def account(kind: str, owner: Any = None) -> Any:
        return account_of(kind=kind, owner=owner, asset="USD", livemode=False)

    now, clearing = utc_now(), account("stripe_clearing")
    wallets = []
    for number in range(buyers):
        owner = Organization.objects.create(name=f"Buyer {number}", country="DE", created_at=now)
        wallet = [account(kind, owner) for kind in ("buyer_available", "buyer_held", "provider_pending")]
        paid = [debit(clearing, MUCH), credit(wallet[0], MUCH)]
        post(kind="topup", ref=owner.public_id, lines=paid, now=now, actor="benchmark")
        wallets.append(tuple(wallet))
    return [*wallets, (account("platform_fee"), account("tax_payable"))]


def write(number: int, seconds: float, accounts: list[tuple[Any, ...]], start: Any, told: Any) -> None:
    """Be one writer; tells how many journals it wrote, or the error that ended it."""
    from django.db import DatabaseError, connections  # noqa: PLC0415

    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.common.errors import DomainError  # noqa: PLC0415
    from marketplace.ledger.lines import credit, debit  # noqa: PLC0415
    from marketplace.ledger.services import post  # noqa: PLC0415

    connections.close_all()
    dice, (*wallets, (fee, tax)), written = random.Random(number), accounts, 0  # noqa: S311
    start.wait()
    until = time.perf_counter() + seconds
    try:
        while time.perf_counter() < until:
            (available, held, _), (_, _, pending) = dice.choice(wallets), dice.choice(wallets)
            ref, now = f"{os.getpid()}:{written}", utc_now()
            taken = [debit(available, 110), credit(held, 110)]
            post(kind="hold", ref=ref, lines=taken, now=now, actor="benchmark")
            parts = [debit(held, 110), credit(pending, 88), credit(fee, 12), credit(tax, 10)]
            post(kind="capture", ref=ref, lines=parts, now=now, actor="benchmark")
            written += 2
        told.put((written, ""))
    except (DatabaseError, DomainError) as error:
        told.put((written, f"{type(error).__name__}: {error}"))
    connections.close_all()


def run(asked: argparse.Namespace, accounts: list[tuple[Any, ...]], number: int) -> tuple[float, list[str]]:
    """(journals per second of all writers, the errors they met)."""
    from django.db import connections  # noqa: PLC0415

    connections.close_all()
    start, told = FORK.Barrier(asked.writers), FORK.Queue()
    writers = [
        FORK.Process(target=write, args=(1000 * number + each, asked.seconds, accounts, start, told))
        for each in range(asked.writers)
    ]
    for writer in writers:
        writer.start()
    answers = [told.get(timeout=asked.seconds + 60) for _ in writers]
    for writer in writers:
        writer.join()
    return sum(written for written, _ in answers) / asked.seconds, [error for _, error in answers if error]


@contextlib.contextmanager
def the_application() -> Iterator[None]:
    """Within, connections are the application's, with the rights it has in the product."""
    from django.db import connection  # noqa: PLC0415

    from config.launcher.folders import APPLICATION  # noqa: PLC0415
    from config.roles import give_rights, make_role  # noqa: PLC0415

    make_role(APPLICATION)
    give_rights(APPLICATION)
    connection.close()
    owner, connection.settings_dict = connection.settings_dict, connection.settings_dict | {"USER": APPLICATION}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = owner


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Journals per second, run by run, and what the checks say of the books."""
    from django.db import connection, transaction  # noqa: PLC0415

    from config.invariants import books, running  # noqa: PLC0415

    accounts = fund(asked.buyers)
    with contextlib.nullcontext() if asked.as_owner else the_application():
        runs = [run(asked, accounts, number) for number in range(asked.repeat + 1)][1:]
    with transaction.atomic():
        findings = [running.run(check, late=running.LEAST_PATIENCE) for check in books.CHECKS]
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0]  # type: ignore[index]
    return {
        "role": "owner" if asked.as_owner else "application",
        "writers": asked.writers, "buyers": asked.buyers, "seconds_of_a_run": asked.seconds,
        "journals_per_second": round(statistics.median(rate for rate, _ in runs)),
        "all_journals_per_second": [round(rate) for rate, _ in runs],
        "errors": [error for _, errors in runs for error in errors],
        "checks": {each.id: each.anomalies_total for each in findings}, "journals": findings[0].rows,
        "versions": {"python": platform.python_version(), "postgresql": server, "machine": platform.platform()},
    }  # fmt: skip


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    ask = argparse.ArgumentParser(description="Journals written by several processes at once.")
    ask.add_argument("--writers", type=int, default=8)
    ask.add_argument("--buyers", type=int, default=64)
    ask.add_argument("--seconds", type=float, default=5.0, help="of each run")
    ask.add_argument("--as-owner", action="store_true")
    ask.add_argument("--repeat", type=int, default=5)
    return ask.parse_args(arguments)


def main() -> int:
    asked = read_arguments(sys.argv[1:])
    with own_database():
        figures = measure(asked)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 3 if figures["errors"] or any(figures["checks"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
