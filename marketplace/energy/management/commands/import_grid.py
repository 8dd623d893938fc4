"""`manage.py import_grid FILE`: hours of grid zones from a CSV file, plain or gzipped."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketplace.common.clock import utc_now
from marketplace.energy.errors import WrongImport
from marketplace.energy.imports.grid import import_grid
from marketplace.energy.imports.gridsheet import LAYOUTS
from marketplace.energy.imports.gridyears import KIND as YEARLY
from marketplace.energy.imports.gridyears import import_grid_years
from marketplace.energy.imports.taking import told
from marketplace.energy.models import ImportFile, ImportState
from marketplace.energy.signals.base import NOTICES


class Command(BaseCommand):
    help = "Import hourly or yearly carbon intensity and renewable share of grid zones from a CSV file, all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a CSV file, plain or .gz, at most 50 MB")
        parser.add_argument(
            "--kind", choices=sorted([*LAYOUTS, YEARLY]), default="grid_hourly", help="which headings it has"
        )
        parser.add_argument("--zones", nargs="+", default=[], metavar="CODE", help="import only these zones")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            data = options["file"].read_bytes()
            result = _imported(data, options["kind"], options["zones"])
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from error
        except WrongImport as error:
            raise CommandError(f"{error.detail}. Mend: {error.hint}" if error.hint else error.detail) from error
        if result.state == ImportState.REFUSED:
            self.stderr.write("\n".join(told(result)))
            raise CommandError(f"{result.faults} faults: nothing was imported")
        what = "years" if options["kind"] == YEARLY else "hours"
        self.stdout.write(f"{result.rows} {what} imported, vintage {result.sha256[:12]}")
        if options["kind"] in LAYOUTS:
            self.stdout.write(NOTICES[LAYOUTS[options["kind"]].source])


def _imported(data: bytes, kind: str, zones: list[str]) -> ImportFile:
    """What became of the file. Raises WrongImport."""
    if kind != YEARLY:
        return import_grid(data=data, kind=kind, now=utc_now(), zones=zones)
    if zones:
        raise WrongImport("a file of years is imported whole", hint="leave out --zones")
    return import_grid_years(data=data, now=utc_now())
