"""python manage.py benchmark match|openb|peers …: measure this checkout on this machine; prints one JSON document."""

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from benchmarks import match, openb, peers, traces
from benchmarks.openb import TraceMissing

KINDS = {
    "match": (match, "jobs on offers, in memory"),
    "openb": (openb, "pods on the nodes of a real cluster of shared devices"),
    "peers": (peers, "the same market for ours, HiGHS, a matcher row by row and Slurm's controller"),
}


class Command(BaseCommand):
    """Runs from a checkout; an installed product carries no benchmarks."""

    requires_system_checks = ()
    help = "Measure the matcher and print one JSON document. Exit 3 when a check fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True)
        for name, (module, what) in KINDS.items():
            chosen = kinds.add_parser(name, help=what)
            chosen.add_argument("--json", action="store_true", help="the default, and the only form there is")
            module.add_arguments(chosen)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            module = traces if options.get("trace") in traces.PHILLY else KINDS[options["kind"]][0]
            answer = module.run(Namespace(**options))
        except TraceMissing as missing:
            raise CommandError(str(missing)) from missing
        self.stdout.write(json.dumps(answer, indent=2))
        if any(answer["checks"].values()):
            sys.exit(3)
