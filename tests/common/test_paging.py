"""Pages by object id: nothing is skipped or repeated while rows come and go."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory

from accounts.models import Organization
from accounts.services import create_organization
from marketplace.common.errors import InvalidParameter
from marketplace.common.paging import PageAsk, list_answer, page_of, page_of_list, read_ask
from tests.market import triggers_off

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BY_NAME = ("name",)


@pytest.fixture
def shelf(db):
    """Nine organizations; three share each name, so that order needs the key too."""
    return [
        create_organization(name=name, now=NOON + timedelta(seconds=index))
        for index, name in enumerate(["beech", "alder", "cedar"] * 3)
    ]


def walk(order, limit, between=lambda page: None):
    """All ids from the first page to the last."""
    ids, cursor = [], ""
    while True:
        page = page_of(Organization.objects.all(), PageAsk(limit=limit, starting_after=cursor), order=order)
        ids += [row.public_id for row in page.items]
        if not page.has_more:
            return ids
        between(page)
        cursor = ids[-1]


@pytest.mark.parametrize("order", [("-pk",), ("name",), ("-name",), ("-created_at", "-pk"), ("name", "-created_at")])
@pytest.mark.parametrize("limit", [1, 2, 4, 9, 100])
def test_pages_give_every_row_once_in_order(shelf, order, limit):
    expected = list(Organization.objects.order_by(*order, "pk").values_list("public_id", flat=True))

    assert walk(order, limit) == expected


def test_going_back_meets_the_same_rows(shelf):
    everything = walk(BY_NAME, 100)

    page = page_of(Organization.objects.all(), PageAsk(limit=3, ending_before=everything[7]), order=BY_NAME)

    assert [row.public_id for row in page.items] == everything[4:7]
    assert page.has_more
    assert page.count == 9


def test_the_first_rows_have_nothing_before_them(shelf):
    everything = walk(BY_NAME, 100)

    page = page_of(Organization.objects.all(), PageAsk(limit=3, ending_before=everything[2]), order=BY_NAME)

    assert [row.public_id for row in page.items] == everything[:2]
    assert not page.has_more


def test_rows_added_and_removed_meanwhile_cause_no_gap_and_no_repeat(shelf):
    before = walk(BY_NAME, 100)
    removed = before[0]

    def disturb(page):
        with triggers_off():
            Organization.objects.filter(public_id=removed).delete()
        create_organization(name="aaa", now=NOON)

    seen = walk(BY_NAME, 2, between=disturb)

    assert seen == before


def test_a_cursor_that_is_not_in_the_list_is_refused(shelf):
    with pytest.raises(InvalidParameter) as refusal:
        page_of(Organization.objects.filter(name="alder"), PageAsk(starting_after=shelf[0].public_id))

    assert refusal.value.problems[0].pointer == "starting_after"


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "", "1.5", "٣"])
def test_a_limit_out_of_range_is_refused(limit):
    with pytest.raises(InvalidParameter):
        read_ask({"limit": limit})


def test_only_one_direction_may_be_asked():
    with pytest.raises(InvalidParameter):
        read_ask({"starting_after": "a", "ending_before": "b"})


@dataclass
class Thing:
    id: str


THINGS = [Thing(letter) for letter in "abcdefg"]


@pytest.mark.parametrize(
    ("ask", "expected", "more"),
    [
        (PageAsk(limit=3), "abc", True),
        (PageAsk(limit=3, starting_after="c"), "def", True),
        (PageAsk(limit=3, starting_after="d"), "efg", False),
        (PageAsk(limit=3, starting_after="g"), "", False),
        (PageAsk(limit=3, ending_before="g"), "def", True),
        (PageAsk(limit=3, ending_before="d"), "abc", False),
        (PageAsk(limit=3, ending_before="a"), "", False),
    ],
)
def test_a_ranked_list_is_paged_the_same_way(ask, expected, more):
    page = page_of_list(THINGS, ask, id_of=lambda thing: thing.id)

    assert ("".join(thing.id for thing in page.items), page.has_more, page.count) == (expected, more, 7)


def test_a_list_says_where_its_neighbours_are_and_keeps_the_filters():
    request = RequestFactory().get("/api/v1/things?limit=2&kind=a&kind=b&starting_after=b")
    page = page_of_list(THINGS, read_ask(request.GET), id_of=lambda thing: thing.id)

    answer = list_answer(request, page, lambda thing: {"id": thing.id}, now=NOON, facets={"kind": {}})

    assert answer.data == {
        "object": "list",
        "data": [{"id": "c"}, {"id": "d"}],
        "has_more": True,
        "next_cursor": "d",
        "meta": {"count": 7, "as_of": "2026-03-02T12:00:00Z", "facets": {"kind": {}}},
    }
    assert answer["Link"] == (
        '</api/v1/things?limit=2&kind=a&kind=b&starting_after=d>; rel="next", '
        '</api/v1/things?limit=2&kind=a&kind=b&ending_before=c>; rel="prev"'
    )


def test_the_only_page_has_no_neighbours():
    request = RequestFactory().get("/api/v1/things")
    page = page_of_list(THINGS, read_ask(request.GET), id_of=lambda thing: thing.id)

    answer = list_answer(request, page, lambda thing: {"id": thing.id}, now=NOON)

    assert "Link" not in answer
    assert "next_cursor" not in answer.data
