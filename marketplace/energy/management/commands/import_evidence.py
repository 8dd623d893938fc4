"""`manage.py import_evidence FILE --kind … --organization …`: meters or certificates of an organization from a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import Organization
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError
from marketplace.energy.imports.evidence import KINDS, import_evidence
from marketplace.energy.imports.taking import told
from marketplace.energy.models import ImportFile, ImportState, MeterPoint


class Command(BaseCommand):
    help = "Import meter readings or certificates that an organization holds from a CSV file; all of it or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a CSV file, plain or .gz, at most 50 MB")
        parser.add_argument("--kind", choices=KINDS, required=True, help="what the file holds")
        parser.add_argument("--organization", required=True, metavar="ORG", help="whose it is: org_…")
        parser.add_argument("--point", default="", metavar="CODE", help="the metering point that certificates serve")
        parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            data = options["file"].read_bytes()
            with transaction.atomic():
                result = self._import(data, options)
                transaction.set_rollback(options["dry_run"])
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from error
        except DomainError as error:
            raise CommandError(f"{error.detail}. Mend: {error.hint}" if error.hint else error.detail) from error
        if result.state == ImportState.REFUSED:
            self.stderr.write("\n".join(told(result)))
            raise CommandError(f"{result.faults} faults: nothing was imported")
        verb = "would be imported" if options["dry_run"] else "imported"
        missing = f", {result.incomplete} hours left out for want of a part" if result.incomplete else ""
        self.stdout.write(f"{result.rows} rows {verb}{missing}, {result.sha256[:12]}")

    def _import(self, data: bytes, options: dict[str, Any]) -> ImportFile:
        organization = Organization.objects.by_public_id(options["organization"])
        point = None
        if options["point"]:
            point = MeterPoint.objects.filter(organization=organization, code=options["point"]).first()
            if point is None:
                raise CommandError(f"{organization.name} has no metering point {options['point']}")
        return import_evidence(data=data, kind=options["kind"], organization=organization, point=point, now=utc_now())
