"""python manage.py benchmark match …: measure this checkout on this machine; prints one JSON document."""

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand

from benchmarks import match


class Command(BaseCommand):
    """Runs from a checkout; an installed product carries no benchmarks."""

    requires_system_checks = ()
    help = "Measure the matcher on a seeded market and print one JSON document. Exit 3 when a check fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True)
        match.add_arguments(kinds.add_parser("match", help="jobs on offers, in memory"))

    def handle(self, *_args: Any, **options: Any) -> None:
        answer = match.run(Namespace(**options))
        self.stdout.write(json.dumps(answer, indent=2))
        if any(answer["checks"].values()):
            sys.exit(3)
