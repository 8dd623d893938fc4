"""Which countries make a shard, who works on it, and how the answers of several become one."""

import pytest

from config.launcher.product import matcher_queues
from config.launcher.trouble import Trouble
from config.regions import BY_FAMILY, BY_REGION, read_groups, shard_names
from scheduler.shards import all_shards, together

EUROPE, AMERICAS, REST = "europe", "americas", "rest"


def test_the_nearest_value_of_a_limit_is_the_way_out_of_the_whole_market():
    def said(value, offer, name="price__lte"):
        way = {"limit": "price", "limits": ["price"], "offers": 2, "offer": offer, "changes": [[name, value]]}
        return {"code": "never_fits", "rejected": {"price": 2}, "relax": [way]}

    far_and_near = together([said(9, "far"), said(None, "unknown"), said(7, "near")])
    shares = together([said(2, "far", "share__gte"), said(5, "near", "share__gte")])

    assert (far_and_near["relax"][0]["offer"], far_and_near["relax"][0]["offers"]) == ("near", 6)
    assert shares["relax"][0]["offer"] == "near"


def test_a_pair_of_limits_is_a_way_out_only_where_no_single_one_is():
    single = {"limit": "price", "limits": ["price"], "offers": 1, "offer": "a", "changes": [["price__lte", 7]]}
    pair = {"limit": "kind", "limits": ["kind", "price"], "offers": 1, "offer": "b", "changes": [["kind", None]]}

    def said(*ways):
        return {"code": "never_fits", "rejected": {}, "relax": list(ways)}

    assert together([said(pair), said(single)])["relax"] == [single]
    assert together([said(pair), said(pair | {"offer": "c"})])["relax"][0]["limits"] == ["kind", "price"]


def test_every_shard_has_a_lock_of_its_own_within_32_bits(settings):
    settings.REGION_GROUPS = {EUROPE: ("DE",), AMERICAS: ("US",), REST: ()}
    keys = {shard.lock for shard in all_shards()}

    assert len(keys) == 12
    assert all(-(2**31) <= key < 2**31 for key in keys)


@pytest.mark.parametrize(
    ("shards", "mapping", "said"),
    [
        ("city", "", "SHARDS is 'city'"),
        (BY_REGION, "europe DE", "'europe DE'"),
        (BY_REGION, "rest: DE", "'rest: DE'"),
        (BY_REGION, "a: DE; a: FR", "'a: FR'"),
        (BY_REGION, "a: Germany", "'Germany' in a"),
        (BY_REGION, "a: DE; b: DE", "DE twice"),
        (BY_REGION, "a:", "no country in a"),
    ],
)
def test_groups_that_cannot_be_read_are_refused_with_what_is_wrong(shards, mapping, said):
    with pytest.raises(ValueError, match=r"SHARDS|REGION_GROUPS") as refused:
        read_groups(shards, mapping)

    assert said in str(refused.value)


def test_families_are_not_split_unless_asked_for():
    assert read_groups("family") == read_groups("") == {}
    assert list(read_groups(BY_REGION)) == ["asia-pacific", EUROPE, AMERICAS, REST]
    assert read_groups("family, region", "a: DE FR") == {"a": ("DE", "FR"), REST: ()}


def test_the_shards_are_dealt_out_to_the_matchers_each_to_one():
    two = matcher_queues({"SHARDS": BY_REGION, "MATCHERS": "2"})
    queues = [queue for each in two.values() for queue in each]

    assert list(two) == ["matcher", "matcher-2"]
    assert sorted(queues) == sorted(f"match.{name}" for name in shard_names(read_groups(BY_REGION)))
    assert abs(len(two["matcher"]) - len(two["matcher-2"])) <= 1


@pytest.mark.parametrize("given", ["0", "5", "two", "-1"])
def test_more_matchers_than_shards_and_what_is_no_number_are_refused(given):
    with pytest.raises(Trouble, match="4 shards"):
        matcher_queues({"MATCHERS": given})


@pytest.mark.parametrize("shards", [BY_FAMILY, BY_REGION])
def test_the_launcher_deals_out_the_very_shards_that_jobs_are_sent_to(settings, shards):
    settings.REGION_GROUPS = read_groups(shards)

    assert shard_names(settings.REGION_GROUPS) == [shard.name for shard in all_shards()]
