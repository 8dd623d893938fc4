"""`manage.py reconcile_payments`: days at the processor against the books. Exit 0 clean, 1 differences, 2 not asked."""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.common.clock import utc_now
from marketplace.common.currencies import figure
from marketplace.ledger.gateways import current_gateway
from marketplace.ledger.gateways.base import GatewayError
from marketplace.ledger.reconciling import Reconciliation, reconcile

CLEAN, DIFFERENCES, COULD_NOT_ASK = 0, 1, 2
DAY = timedelta(days=1)


def day_of(text: str) -> date:
    """A day, for the parser of arguments."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-24") from error


class Command(BaseCommand):
    """Every balance transaction has its entry on the clearing account, or a journal of suspense names it."""

    help = "Compare days with the payment processor. Exit 0 clean, 1 differences, 2 the processor could not be asked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", type=day_of, help="a UTC day, 2026-11-24; yesterday unless told")
        parser.add_argument("--since", type=day_of, help="every day from this one to --day: after a restore")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        last = options["day"] or utc_now().date() - DAY
        first = options["since"] or last
        if first > last:
            raise CommandError(f"--since {first} is after --day {last}", returncode=COULD_NOT_ASK)
        try:
            results = [reconcile(gateway=current_gateway(), day=day) for day in _days(first, last)]
        except (GatewayError, LookupError) as error:
            self.stderr.write(f"the processor could not be asked: {error}")
            sys.exit(COULD_NOT_ASK)
        clean = all(each.clean for each in results)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": clean, "days": [each.as_json() for each in results]}, indent=2))
        else:
            for each in results:
                self._tell(each)
        if not clean:
            sys.exit(DIFFERENCES)

    def _tell(self, result: Reconciliation) -> None:
        verdict = "adds up" if result.clean else "DOES NOT ADD UP"
        self.stdout.write(f"{result.day} {result.gateway}: {verdict}, {result.transactions} balance transactions")
        for each in result.differences:
            theirs, ours = (f"{figure(amount, each.asset)} {each.asset}" for amount in (each.theirs, each.ours))
            named = "  named" if each.named else ""
            self.stdout.write(f"  {each.kind} {each.reference}: theirs {theirs}, ours {ours}{named}")


def _days(first: date, last: date) -> Iterator[date]:
    return (first + number * DAY for number in range((last - first).days + 1))
