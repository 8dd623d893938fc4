"""`manage.py verify_invariants`: recompute what must never break. Exit 0 clean, 1 anomalies, 2 could not check."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config.invariants.check import Check, Finding
from config.invariants.running import CHECKS, CannotCheck, chosen, patience, self_test, verify
from config.roles import as_owner

CLEAN, ANOMALIES, COULD_NOT_CHECK = 0, 1, 2


class Command(BaseCommand):
    """Checks in one read-only snapshot; the self-test breaks one row for each check and takes it back."""

    help = "Recompute the invariants from the tables. Exit 0 clean, 1 anomalies, 2 could not check."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--only", default="", help=f"ids separated by commas, of {', '.join(CHECKS)}")
        parser.add_argument("--self-test", action="store_true", help="break a row for each check, expect its report")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            checks = chosen(name.strip() for name in options["only"].split(",") if name.strip())
            code = self._self_test(checks) if options["self_test"] else self._verify(checks, options["json"])
        except CannotCheck as error:
            self.stderr.write(f"could not check: {error}")
            code = COULD_NOT_CHECK
        if code != CLEAN:
            sys.exit(code)

    def _verify(self, checks: Sequence[Check], as_json: bool) -> int:
        checked_at, findings = verify(checks, late=patience(settings.SWEEP_SECONDS))
        ok = not any(finding.anomalies_total for finding in findings)
        if as_json:
            moment = checked_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
            answer = {"ok": ok, "checked_at": moment, "checks": [finding.as_json() for finding in findings]}
            self.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            for finding in findings:
                self._tell(finding)
        return CLEAN if ok else ANOMALIES

    def _tell(self, finding: Finding) -> None:
        verdict = f"{finding.anomalies_total} BROKEN" if finding.anomalies_total else "ok"
        line = f"{finding.id:<3} {verdict:<10} {finding.rows:>9} rows {finding.ms:>6} ms  {CHECKS[finding.id].promise}"
        self.stdout.write(line)
        for each in finding.anomalies:
            self.stdout.write(f"      {each.key}: expected {each.expected}; found {each.found}")

    def _self_test(self, checks: Sequence[Check]) -> int:
        with as_owner():
            silent = self_test(checks, late=patience(settings.SWEEP_SECONDS))
        for check in checks:
            self.stdout.write(f"{check.id:<3} {'SILENT' if check.id in silent else 'reports its broken row'}")
        return ANOMALIES if silent else CLEAN
