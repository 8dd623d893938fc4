"""`manage.py score_forecast FILE`: the forecast's errors on a year of real hours, zone by zone."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from marketplace.energy.errors import WrongImport
from marketplace.energy.forecast import INTERVAL_NEEDED, Series
from marketplace.energy.imports.gridsheet import LAYOUTS, GridSheet
from marketplace.energy.imports.sheets import text_of
from marketplace.energy.scoring import SPANS, blend_errors, coverage, shifting, yesterday_errors
from marketplace.energy.zones import BY_CODE


class Command(BaseCommand):
    help = "Back-test the blend forecast of the life-cycle intensity on the last year of each zone in a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that import_grid takes")
        parser.add_argument("--kind", choices=sorted(LAYOUTS), default="grid_hourly", help="which headings it has")
        parser.add_argument("--zones", nargs="+", default=[], metavar="CODE", help="score only these zones")
        parser.add_argument("--every", type=int, default=30, help="hours between the origins of the P10-P90 test")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text, layout = text_of(options["file"].read_bytes()), LAYOUTS[options["kind"]]
            sheet = GridSheet(text, layout, BY_CODE, options["zones"])
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from error
        except WrongImport as error:
            raise CommandError(error.detail) from error
        found: dict[str, list[int]] = {}
        for hour in sheet.hours():
            found.setdefault(hour.zone, []).append(hour.lifecycle_mg)
        if sheet.faults.count:
            raise CommandError(f"{sheet.faults.count} faults in the file: import_grid names them")
        heads = "".join(f"{f'MAPE {span} h':>12}" for span in SPANS)
        self.stdout.write(f"{'zone':<14}{heads}{'MASE':>8}{'P10-P90':>9}{'saved':>8}{'oracle':>8}")
        for zone, values in found.items():
            self._score(zone, np.array(values) / 1000, options["every"])

    def _score(self, zone: str, series: Series, every: int) -> None:
        first = len(series) - 366 * 24
        if first < INTERVAL_NEEDED:
            self.stdout.write(f"{zone:<14}too short: a year and {INTERVAL_NEEDED} hours are needed")
            return
        blend, naive, shift = blend_errors(series, first), yesterday_errors(series, first), shifting(series, first)
        percents = "".join(f"{blend.percent[span]:>12.1f}" for span in SPANS)
        mase = blend.absolute["1-24"] / naive.absolute["1-24"]
        inside = 100 * coverage(series, first, every=every)
        figures = f"{mase:>8.2f}{inside:>8.1f}%{100 * shift.saved:>7.1f}%{100 * shift.could_be_saved:>7.1f}%"
        self.stdout.write(f"{zone:<14}{percents}{figures}")
