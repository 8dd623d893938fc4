"""A round can be decided again from its record: same bytes, or where they part."""

import zlib
from io import StringIO

import pytest
from django.core.management import call_command

from scheduler.core import canonical
from scheduler.cycle import replay, run_round
from scheduler.models import MatchRound
from tests.market import NOON
from tests.scheduler.scene import make_cpu_offer, make_job

pytestmark = pytest.mark.django_db


def mixed_round():
    """A round that places some jobs and refuses others."""
    make_cpu_offer(units=2)
    make_cpu_offer(units=1)
    for number in range(5):
        make_job(now=NOON, name=f"job {number}")
    hopeless = make_job(now=NOON)
    hopeless.ask["limits"]["price__lte"] = 1
    hopeless.save()
    return run_round(segment="cpu", now=NOON)


def replayed(public_id):
    """(exit code, what was printed) of `manage.py replay_round`."""
    out = StringIO()
    try:
        call_command("replay_round", public_id, stdout=out, stderr=out)
    except SystemExit as stopped:
        return stopped.code, out.getvalue()
    return 0, out.getvalue()


def test_a_round_decided_again_gives_the_same_bytes():
    round_ = MatchRound.objects.get(pk=mixed_round().pk)

    assert (round_.jobs_seen, round_.placed) == (6, 3)
    assert replay(round_)
    assert replayed(round_.public_id) == (
        0, f"{round_.public_id}: the same plan, sha256 {round_.result_sha256}\n",
    )  # fmt: skip


def test_a_replay_that_differs_prints_where():
    round_ = mixed_round()
    plan = canonical.load_plan(zlib.decompress(round_.result))
    MatchRound.objects.filter(pk=round_.pk).update(
        result=zlib.compress(canonical.dump_plan(type(plan)(plan.placed[:1], plan.unplaced)))
    )

    code, text = replayed(round_.public_id)

    assert code == 1
    assert "at byte" in text
    assert "then:" in text
    assert "now:" in text


def test_a_replay_refuses_a_round_of_another_core():
    round_ = mixed_round()
    MatchRound.objects.filter(pk=round_.pk).update(core_version="0")

    code, text = replayed(round_.public_id)

    assert code == 2
    assert "core 0" in text


def test_a_replay_without_its_snapshot_says_that_it_is_gone():
    round_ = mixed_round()
    MatchRound.objects.filter(pk=round_.pk).update(snapshot=None)

    assert replayed(round_.public_id)[0] == 3
    assert replayed("rnd_nothing") == (3, "there is no match round rnd_nothing\n")
