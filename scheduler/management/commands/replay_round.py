"""`manage.py replay_round ID`: decide a stored round again.

Exit 0 the same bytes, 1 another plan (the first difference is printed), 2 decided by another version of the core,
3 the snapshot is gone or there is no such round.
"""

import sys
import zlib
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from scheduler.core import canonical, matching
from scheduler.core.types import CORE_VERSION
from scheduler.models import MatchRound
from scheduler.recording import SnapshotGone, snapshot_of

SAME, DIFFERENT, OTHER_VERSION, GONE = 0, 1, 2, 3
AROUND = 60  # characters told on each side of the first difference


class Command(BaseCommand):
    """Reads the round's snapshot and compares what the core decides now with what it decided then."""

    help = "Decide a stored match round again. Exit 0 same, 1 different, 2 other core version, 3 snapshot gone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("round", help="the id of a match round, rnd_…")

    def handle(self, *_: Any, **options: Any) -> None:
        round_ = MatchRound.objects.filter(public_id=options["round"]).first()
        if round_ is None:
            self._fail(GONE, f"there is no match round {options['round']}")
        elif round_.core_version != CORE_VERSION:
            versions = f"core {round_.core_version}, this is core {CORE_VERSION}"
            self._fail(OTHER_VERSION, f"{round_.public_id} was decided by {versions}")
        else:
            self._replay(round_)

    def _replay(self, round_: MatchRound) -> None:
        name, stored = round_.public_id, zlib.decompress(round_.result)
        try:
            again = canonical.dump_plan(matching.match(snapshot_of(round_)))
        except SnapshotGone as gone:
            self._fail(GONE, str(gone))
        if again != stored:
            self._fail(DIFFERENT, f"{name} is decided differently now\n{first_difference(stored, again)}")
        self.stdout.write(f"{name}: the same plan, sha256 {canonical.sha256(again)}")

    def _fail(self, code: int, text: str) -> NoReturn:
        self.stderr.write(text)
        sys.exit(code)


def first_difference(stored: bytes, again: bytes) -> str:
    """Where two texts part, with a little of each on both sides."""
    pairs = zip(stored, again, strict=False)
    place = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(stored), len(again)))
    around = slice(max(0, place - AROUND), place + AROUND)
    told = (f"{name}: …{text[around].decode(errors='replace')}…" for name, text in (("then", stored), ("now", again)))
    return "\n".join([f"at byte {place}", *told])
