"""`manage.py match_round SEGMENT [--mode batch]`: run one round now, in this process.

Exit 0 the round is committed, or nothing new came of it; 1 another worker is at the segment.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.common.clock import utc_now
from scheduler.core.types import BATCH, GREEDY, QUALITY
from scheduler.cycle import batch_round, held
from scheduler.shards import all_shards


class Command(BaseCommand):
    """For operators who want a careful round before the next one is due."""

    help = "Run one match round of a segment or of one of its region groups: quality unless another mode is named."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("segment", choices=[shard.name for shard in all_shards()])
        parser.add_argument("--mode", choices=(GREEDY, BATCH, QUALITY), default=QUALITY)

    def handle(self, *_: Any, **options: Any) -> None:
        with held(options["segment"]) as ours:
            if not ours:
                raise CommandError(f"another worker matches {options['segment']} at the moment; try again")
            round_ = batch_round(options["segment"], utc_now(), mode=options["mode"])
        if round_ is None:
            self.stdout.write("nothing waits, or nothing new can be said of what waits")
            return
        ratio = "no bound" if round_.ratio_bp is None else f"{round_.ratio_bp / 100:.2f} % of the bound"
        self.stdout.write(f"{round_.public_id}: placed {round_.placed} of {round_.jobs_seen}, {ratio}")
