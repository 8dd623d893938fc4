"""Sources are asked in turn, by one process each time, never more often than they publish; what they said stays."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from marketplace.energy import tasks
from marketplace.energy.feeds import (
    claim_feed,
    fetch_feed,
    hours_to_ask,
    keep_failure,
    next_turn,
    sync_feeds,
    wait_after,
)
from marketplace.energy.models import GridForecast, GridHour, GridZone, MarginalHour, SignalFeed
from marketplace.energy.recording import record_points
from marketplace.energy.services import hours_of
from marketplace.energy.signals.base import Signal, SignalPoint
from marketplace.energy.signals.errors import ProviderBusy, ProviderDown, ProviderRefused
from marketplace.energy.signals.sources import SOURCES, FeedSetting, Signals
from tests.energy.stand_ins import ACCOUNTS, EIGHT, NINE, NOW, REGIONS, TEN, always, client_of, never, recorded

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SERVED = (
    FeedSetting("electricity_maps", "DE", "DE"),
    FeedSetting("watttime", "US-CAL-CISO", "CAISO_NORTH"),
    FeedSetting("uk_carbon", "GB", "GB"),
)


@pytest.fixture
def served(settings, db):
    """Three zones are served by a source each, and their feeds are due."""
    settings.SIGNALS = Signals(feeds=SERVED, accounts=ACCOUNTS)
    sync_feeds(now=NOW)
    return {feed.provider: feed for feed in SignalFeed.objects.select_related("zone")}


def caught_up(feed, until=EIGHT):
    """The feed, as if all before `until` had been asked for and is known."""
    SignalFeed.objects.filter(pk=feed.pk).update(asked_until=until, known_until=until)


def fetch(feed, handler=recorded, now=NOW):
    claimed = claim_feed(feed_id=feed.pk, now=now)
    assert claimed is not None
    return fetch_feed(feed=claimed, client=client_of(handler), now=now)


def points(zone, **values):
    """The four signals of the hour from eight."""
    facts = {Signal.DIRECT: 300, Signal.LIFECYCLE: 400, Signal.RENEWABLE: 10, Signal.CARBON_FREE: 20} | values
    return [SignalPoint(zone.code, EIGHT, 60, kind, value, False, NOW, "entsoe") for kind, value in facts.items()]


def record(zone, found, vintage, source="entsoe"):
    return record_points(zone=zone, source=source, vintage=vintage, points=found, start=EIGHT, end=TEN)


def test_the_settings_make_the_feeds_and_their_zones_and_take_them_away_again(served, settings):
    assert {(name, feed.zone.code, feed.region, feed.marginal) for name, feed in served.items()} == {
        ("electricity_maps", "DE", "DE", False),
        ("watttime", "US-CAL-CISO", "CAISO_NORTH", True),
        ("uk_carbon", "GB", "GB", False),
    }
    settings.SIGNALS = Signals(feeds=(*SERVED[:1], FeedSetting("entsoe", "ATLANTIS", "10Y")), accounts=ACCOUNTS)

    sync_feeds(now=NOW)

    assert list(SignalFeed.objects.values_list("provider", flat=True)) == ["electricity_maps"]
    assert not GridZone.objects.filter(code="ATLANTIS").exists()


def test_syncing_again_leaves_what_is_known_of_a_feed(served):
    caught_up(served["uk_carbon"])

    sync_feeds(now=NOW + HOUR)

    assert SignalFeed.objects.get(provider="uk_carbon").asked_until == EIGHT


def test_another_region_is_asked_for_from_the_start(served, settings):
    caught_up(served["electricity_maps"])
    settings.SIGNALS = Signals(feeds=(FeedSetting("electricity_maps", "DE", "DE-LU"),), accounts=ACCOUNTS)

    sync_feeds(now=NOW + HOUR)

    feed = SignalFeed.objects.get()
    assert (feed.region, feed.asked_until, feed.known_until, feed.since) == ("DE-LU", None, None, NOW + HOUR)


def test_a_fetch_writes_the_hours_and_says_when_the_next_one_is(served):
    caught_up(served["electricity_maps"])

    assert fetch(served["electricity_maps"]).written == 3

    feed = SignalFeed.objects.get(provider="electricity_maps")
    assert (feed.known_until, feed.asked_until, feed.last_success_at, feed.failures) == (TEN, TEN, NOW, 0)
    assert feed.next_try_at == NOW.replace(hour=11, minute=10)
    vintages = set(GridHour.objects.values_list("source", "vintage"))
    assert vintages == {("electricity_maps", "20261124T104000Z")}


def test_a_source_is_not_asked_again_before_it_publishes(served):
    caught_up(served["electricity_maps"])
    fetch(served["electricity_maps"])

    assert claim_feed(feed_id=served["electricity_maps"].pk, now=NOW + 29 * MINUTE) is None
    assert claim_feed(feed_id=served["electricity_maps"].pk, now=NOW + 30 * MINUTE) is not None


def test_unchanged_hours_are_not_written_again(served):
    caught_up(served["electricity_maps"])
    fetch(served["electricity_maps"])

    assert fetch(served["electricity_maps"], now=NOW + HOUR).written == 0

    assert GridHour.objects.count() == 3


def test_a_revision_is_a_new_vintage_that_has_the_last_word_and_the_old_one_stays(served):
    zone = served["uk_carbon"].zone
    record(zone, points(zone), "1")
    assert record(zone, points(zone, **{Signal.LIFECYCLE: 367}), "2").written == 1
    assert record(zone, points(zone, **{Signal.LIFECYCLE: 367}), "3").written == 0

    assert list(GridHour.objects.order_by("pk").values_list("vintage", "lifecycle_mg_per_kwh")) == [
        ("1", 400), ("2", 367),
    ]  # fmt: skip
    assert hours_of(zones=[zone], start=EIGHT, hours=1, now=NOW).zone(zone).lifecycle_mg == (367,)


def test_a_revision_back_to_an_old_value_is_kept_even_when_its_source_dates_it_back(served):
    zone = served["uk_carbon"].zone
    record(zone, points(zone), "1")
    record(zone, points(zone, **{Signal.LIFECYCLE: 367}), "2")
    earlier = [point._replace(issued_at=NOW - HOUR) for point in points(zone)]

    assert record(zone, earlier, "3").written == 1

    assert hours_of(zones=[zone], start=EIGHT, hours=1, now=NOW).zone(zone).lifecycle_mg == (400,)
    assert record(zone, earlier, "4").written == 0


def test_hours_outside_of_what_was_asked_for_are_not_written(served):
    zone = served["uk_carbon"].zone
    later = [point._replace(start=TEN) for point in points(zone)]

    assert record(zone, points(zone) + later, "1").known_until == NINE
    assert list(GridHour.objects.values_list("start", flat=True)) == [EIGHT]


def test_marginal_intensity_has_a_record_of_its_own_and_never_enters_the_averages(served):
    caught_up(served["watttime"])

    assert fetch(served["watttime"]).written == 2
    assert fetch(served["watttime"], now=NOW + HOUR).written == 0

    assert list(MarginalHour.objects.values_list("start", "marginal_mg_per_kwh")) == [(EIGHT, 453_592), (NINE, 447_242)]
    assert not GridHour.objects.exists()
    zone = served["watttime"].zone
    revised = [SignalPoint(zone.code, EIGHT, 60, Signal.MARGINAL, 1, False, NOW + HOUR, "watttime")]
    assert record(zone, revised, "later", "watttime").written == 1
    assert MarginalHour.objects.latest_within(zone, EIGHT, TEN)[EIGHT].marginal_mg_per_kwh == 1
    assert MarginalHour.objects.count() == 3


@pytest.mark.parametrize("handler", [always(500), always(401), always(200, b"?"), never])
def test_a_failure_keeps_what_is_known_and_is_remembered(served, handler):
    caught_up(served["electricity_maps"])
    fetch(served["electricity_maps"])

    assert fetch(served["electricity_maps"], handler, now=NOW + HOUR) is None

    feed = SignalFeed.objects.get(provider="electricity_maps")
    assert (feed.failures, feed.known_until, feed.last_success_at, feed.asked_until) == (1, TEN, NOW, TEN)
    assert feed.last_error.startswith("electricity_maps")
    assert feed.next_try_at > NOW + HOUR
    assert GridHour.objects.count() == 3


def test_a_success_forgets_the_failures_before_it(served):
    caught_up(served["electricity_maps"])
    fetch(served["electricity_maps"], always(500))
    fetch(served["electricity_maps"], always(500), now=NOW + 5 * MINUTE)
    assert SignalFeed.objects.get(provider="electricity_maps").failures == 2

    fetch(served["electricity_maps"], now=NOW + 15 * MINUTE)

    feed = SignalFeed.objects.get(provider="electricity_maps")
    assert (feed.failures, feed.last_error) == (0, "")


def test_waits_double_up_to_a_limit_and_a_source_that_asks_for_more_is_given_more():
    down, busy = ProviderDown("x"), ProviderBusy("x", wait=timedelta(hours=3))

    assert [wait_after(n, down) // MINUTE for n in (1, 2, 3, 4, 5, 6, 1000)] == [5, 10, 20, 40, 60, 60, 60]
    assert [wait_after(n, busy) for n in (1, 9)] == [timedelta(hours=3)] * 2
    assert wait_after(3, ProviderBusy("x", wait=MINUTE)) == 20 * MINUTE
    assert [wait_after(n, ProviderRefused("x")) // MINUTE for n in (1, 2, 9)] == [30, 60, 360]


def test_the_next_turn_is_when_the_hour_that_has_ended_will_be_told():
    source = SOURCES["entsoe"]

    assert next_turn(source, TEN) == TEN + 15 * MINUTE
    assert next_turn(source, TEN + 15 * MINUTE) == TEN + HOUR + 15 * MINUTE


def test_the_past_is_asked_for_in_pieces_and_then_with_what_may_have_been_revised(served):
    feed, source = served["electricity_maps"], SOURCES["electricity_maps"]
    oldest = TEN - 75 * 24 * HOUR

    assert hours_to_ask(feed=feed, now=NOW) == (oldest, oldest + source.longest)
    feed.asked_until = TEN - source.longest - HOUR
    assert hours_to_ask(feed=feed, now=NOW) == (feed.asked_until, TEN - HOUR)
    feed.asked_until = feed.known_until = TEN - HOUR
    assert hours_to_ask(feed=feed, now=NOW) == (TEN - HOUR - source.revises, TEN)
    feed.known_until = TEN - 5 * 24 * HOUR  # the source answers but has not told anything for days
    assert hours_to_ask(feed=feed, now=NOW) == (feed.known_until, TEN)
    feed.known_until = TEN - 50 * 24 * HOUR
    assert hours_to_ask(feed=feed, now=NOW) == (TEN - source.longest, TEN)


def test_while_the_past_is_missing_the_next_piece_is_due_at_once_and_a_gap_is_passed(served):
    fetch(served["electricity_maps"], lambda _: httpx.Response(200, json={"data": []}))

    feed = SignalFeed.objects.get(provider="electricity_maps")
    assert (feed.asked_until, feed.known_until) == (TEN - 65 * 24 * HOUR, None)
    assert feed.next_try_at == NOW


@pytest.mark.django_db(transaction=True)
def test_of_many_processes_one_claims_a_feed(settings):
    settings.SIGNALS = Signals(feeds=SERVED[:1], accounts=ACCOUNTS)
    sync_feeds(now=NOW)
    feed = SignalFeed.objects.get()

    def claim(_: int) -> bool:
        try:
            return claim_feed(feed_id=feed.pk, now=NOW) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(claim, range(8)))

    assert sorted(claims) == [False] * 7 + [True]
    assert claim_feed(feed_id=feed.pk, now=NOW + 2 * MINUTE) is not None  # had that process died


@pytest.mark.django_db(transaction=True)
def test_of_many_processes_with_the_same_revision_one_writes_it():
    zone = GridZone.objects.create(code="FR", name="France", country="FR")
    record(zone, points(zone), "1")

    def revise(number: int) -> int:
        try:
            return record(zone, points(zone, **{Signal.LIFECYCLE: 367}), f"2-{number}").written
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(revise, range(8)))

    assert sorted(written) == [0] * 7 + [1]
    assert GridHour.objects.count() == 2


def test_a_zone_is_stale_from_its_last_hour_on_once_later_ones_should_long_be_known(served):
    caught_up(served["electricity_maps"], TEN)
    caught_up(served["watttime"], EIGHT - 100 * HOUR)  # says nothing of the averages
    zone = served["electricity_maps"].zone.pk

    assert SignalFeed.objects.stale_since(TEN + 6 * HOUR) == {}
    assert SignalFeed.objects.stale_since(TEN + 6 * HOUR + MINUTE)[zone] == TEN
    assert SignalFeed.objects.stale_since(NOW + 7 * HOUR)[served["uk_carbon"].zone.pk] == NOW  # it never answered
    assert served["watttime"].zone.pk not in SignalFeed.objects.stale_since(NOW + 7 * HOUR)


def test_the_task_asks_a_feed_whose_turn_it_is_and_forecasts_its_zone(served, monkeypatch):
    feed, asked, again = served["electricity_maps"], [], []
    monkeypatch.setattr(tasks, "utc_now", lambda: NOW)
    client = client_of(lambda request: asked.append(request) or recorded(request))
    monkeypatch.setattr(tasks.httpx, "Client", lambda: client)
    monkeypatch.setattr(tasks.fetch_signals, "apply_async", lambda args, **_: again.append(args))
    monkeypatch.setattr(tasks, "refresh_forecasts", lambda zones, now: again.append(zones))
    caught_up(feed)

    tasks.fetch_signals(feed.pk)
    tasks.fetch_signals(feed.pk)

    assert len(asked) == 4
    assert again == [[feed.zone]]
    assert GridHour.objects.count() == 3


def test_the_periodic_task_hands_out_the_feeds_whose_turn_has_come(served, monkeypatch):
    handed = []
    monkeypatch.setattr(tasks.fetch_signals, "apply_async", lambda args, **_: handed.append(args))
    monkeypatch.setattr(tasks, "utc_now", lambda: NOW)
    keep_failure(feed=served["uk_carbon"], error=ProviderDown("no answer"), now=NOW)

    tasks.refresh_grid()

    assert {args[0] for args in handed} == {served["electricity_maps"].pk, served["watttime"].pk}
    assert not GridForecast.objects.exists()


def test_marginal_hours_are_append_only_and_on_the_hour(served):
    zone = served["watttime"].zone
    right = {"zone": zone, "start": EIGHT, "marginal_mg_per_kwh": 1, "source": "watttime", "published_at": NOW}
    row = MarginalHour.objects.create(vintage="1", **right)

    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        MarginalHour.objects.filter(pk=row.pk).update(marginal_mg_per_kwh=2)
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        row.delete()
    with pytest.raises(IntegrityError, match="marginal_hour_once_per_vintage"), transaction.atomic():
        MarginalHour.objects.create(vintage="1", **right)
    with pytest.raises(IntegrityError, match="marginal_hour_starts_on_the_hour"), transaction.atomic():
        MarginalHour.objects.create(vintage="2", **right | {"start": EIGHT + MINUTE})
    assert MarginalHour.objects.get().marginal_mg_per_kwh == 1


WRONG = [
    ({"failures": 1}, "signal_feed_failure_has_a_reason"),
    ({"last_error": "x"}, "signal_feed_failure_has_a_reason"),
    ({"known_until": TEN, "asked_until": NINE}, "signal_feed_knows_what_it_asked_for"),
    ({"provider": "uk_carbon"}, "signal_feed_once_per_zone_and_provider"),
]


@pytest.mark.parametrize(("wrong", "constraint"), WRONG)
def test_the_database_refuses_an_impossible_feed(served, wrong, constraint):
    right = {"zone": served["uk_carbon"].zone, "provider": "other", "region": "x", "since": NOW, "next_try_at": NOW}

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        SignalFeed.objects.create(**right | wrong)

    assert SignalFeed.objects.count() == len(SERVED)


def test_stand_ins_stand_for_every_source():
    assert set(ACCOUNTS) == set(REGIONS) == set(SOURCES)
