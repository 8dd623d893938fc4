"""The filters that narrow rows by themselves: names, repeats, levels, text."""

import pytest
from django.http import QueryDict

from marketplace.catalog.filters import OfferFilter
from marketplace.catalog.models import Offer
from marketplace.common.errors import InvalidParameter, UnknownParameter
from tests.market import make_hardware, make_offer, make_organization, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf():
    """{name: offer} in three countries, of two providers, with three levels of evidence."""
    oslo, nauen = make_organization("Oslo Power"), make_organization("Nauen Compute")
    a100 = make_hardware("a100", accelerator="A100", memory_gb=40, interconnect="PCIe")
    return {
        "oslo": make_offer(
            make_site(oslo, country="NO", region="eu-north", name="Fjord", name_zh="峡湾"), evidence="audited"
        ),
        "nauen": make_offer(make_site(nauen, region="eu-central"), evidence="metered", boot_s=10, notice_s=600),
        "lyon": make_offer(make_site(nauen, country="FR", region="eu-west"), hardware=a100, term="reserved"),
    }


def kept(shelf, query):
    names = {offer.pk: name for name, offer in shelf.items()}
    return {names[offer.pk] for offer in OfferFilter.read(QueryDict(query)).qs}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("residency=NO&residency=FR", {"oslo", "lyon"}),
        ("residency=no,fr", {"oslo", "lyon"}),
        ("region=eu-north&region=eu-west", {"oslo", "lyon"}),
        ("region=eu-north&residency=FR", set()),
        ("interconnect=PCIe", {"lyon"}),
        ("interconnect=PCIe&interconnect=NVLink", {"oslo", "nauen", "lyon"}),
        ("term=reserved", {"lyon"}),
        ("evidence=metered", {"oslo", "nauen"}),
        ("evidence=audited", {"oslo"}),
        ("boot_s__lte=30", {"nauen"}),
        ("notice_s__gte=300", {"nauen"}),
        ("memory_gb__gte=80", {"oslo", "nauen"}),
        ("q=峡湾", {"oslo"}),
        ("q=nauen a100", {"lyon"}),
    ],
)
def test_a_repeated_name_is_any_of_them_and_different_names_are_all_of_them(shelf, query, names):
    assert kept(shelf, query) == names


@pytest.mark.parametrize("name", ["site", "provider"])
def test_offers_are_found_by_the_ids_of_several_owners(shelf, name):
    ids = {
        "site": [shelf[each].site.public_id for each in ("oslo", "lyon")],
        "provider": [shelf["oslo"].site.provider.public_id],
    }[name]
    wanted = {"site": {"oslo", "lyon"}, "provider": {"oslo"}}[name]

    assert kept(shelf, "&".join(f"{name}={each}" for each in ids)) == wanted


def test_empty_values_limit_nothing(shelf):
    assert kept(shelf, "region=&residency=,&q=") == set(shelf)
    assert OfferFilter.read(QueryDict("region=&residency=,&q=")).limits() == {}


@pytest.mark.parametrize(
    ("query", "hint"), [("acelerator=H100", "accelerator"), ("price__lt=200", "price__lte"), ("xyzzy=1", "")]
)
def test_an_unknown_name_comes_with_the_nearest_one_if_there_is_one(shelf, query, hint):
    with pytest.raises(UnknownParameter) as refused:
        OfferFilter.read(QueryDict(query))

    assert refused.value.hint == hint


@pytest.mark.parametrize("query", ["kind=submarine", "tier=soft", "evidence=hearsay", "memory_gb__gte=-1", "hours=169"])
def test_a_value_that_no_offer_can_have_is_refused_by_its_name(shelf, query):
    with pytest.raises(InvalidParameter) as refused:
        OfferFilter.read(QueryDict(query))

    assert [problem.pointer for problem in refused.value.problems] == [query.partition("=")[0]]


def test_only_live_offers_are_on_the_shelf(shelf):
    Offer.objects.filter(pk=shelf["oslo"].pk).update(state="retired")

    assert kept(shelf, "") == {"nauen", "lyon"}
