"""What a provider can do with an offer, what is refused, and what the journal says."""

import pytest

from marketplace.catalog import services
from marketplace.catalog.models import HOURS_OF_WEEK, Offer
from marketplace.common.errors import IllegalState, StaleVersion, ValidationFailed
from marketplace.events.models import Event
from tests.market import MONDAY, NOON, make_hardware, make_offer, make_organization, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return make_site(make_organization("Nauen Compute", currency="EUR"), sample=True)


def create(site, **fields):
    values = {"title": " H100 in the hall ", "units": 4, "rate_mm": 200_000}
    return services.create_offer(site=site, hardware=make_hardware(), now=NOON, **(values | fields))


def story(offer):
    """What the journal says of an offer: (type, seq)."""
    return list(Event.objects.filter(object_id=offer.public_id).values_list("type", "object_seq"))


def test_a_new_offer_is_a_draft_in_its_provider_s_currency(site):
    offer = create(site, description=" quiet ")

    assert (offer.state, offer.version, offer.title, offer.description) == ("draft", 1, "H100 in the hall", "quiet")
    assert (offer.currency, offer.sample) == ("EUR", True)
    assert offer.rate_mm == [200_000] * HOURS_OF_WEEK
    assert story(offer) == [("offer.created", 1)]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"title": "  "}, "/title"),
        ({"title": "x" * 81}, "/title"),
        ({"description": "x" * 401}, "/description"),
        ({"units": 0}, "/units"),
        ({"units": True}, "/units"),
        ({"rate_mm": -1}, "/rate_mm"),
        ({"rate_mm": 1.5}, "/rate_mm"),
        ({"notice_s": 86_401}, "/notice_s"),
        ({"tier": "soft"}, "/tier"),
        ({"term": "forever"}, "/term"),
    ],
)
def test_an_offer_that_cannot_be_is_refused_by_field_and_nothing_is_written(site, fields, pointer):
    with pytest.raises(ValidationFailed) as refused:
        create(site, **fields)

    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert not Offer.objects.exists()
    assert not Event.objects.exists()


def test_every_fault_of_a_new_offer_is_told_at_once(site):
    with pytest.raises(ValidationFailed) as refused:
        create(site, title="", units=0, tier="soft")

    assert [problem.pointer for problem in refused.value.problems] == ["/title", "/units", "/tier"]


def test_new_rates_change_the_hours_named_and_count_a_version():
    offer = make_offer(rate_mm=200_000)

    changed = services.reprice_hours(offer=offer, rates_mm={0: 1, 167: 2}, version=1, now=NOON)

    stored = Offer.objects.get(pk=offer.pk)
    assert (stored.rate_mm[0], stored.rate_mm[1], stored.rate_mm[167]) == (1, 200_000, 2)
    assert stored.version == changed.version == 2
    assert story(offer) == [("offer.price_changed", 2)]


@pytest.mark.parametrize("rates", [{}, {168: 1}, {-1: 1}, {0: -1}, {0: 10**12 + 1}])
def test_rates_out_of_range_change_nothing(rates):
    offer = make_offer(rate_mm=200_000)

    with pytest.raises(ValidationFailed):
        services.reprice_hours(offer=offer, rates_mm=rates, version=1, now=NOON)

    assert Offer.objects.get(pk=offer.pk).rate_mm == [200_000] * HOURS_OF_WEEK
    assert story(offer) == []


def test_who_decided_on_an_older_version_is_refused():
    offer = make_offer()
    services.reprice_hours(offer=Offer.objects.get(pk=offer.pk), rates_mm={0: 1}, version=1, now=NOON)

    with pytest.raises(StaleVersion):
        services.reprice_hours(offer=offer, rates_mm={0: 2}, version=1, now=NOON)

    assert Offer.objects.get(pk=offer.pk).rate_mm[0] == 1


def test_an_offer_goes_on_the_shelf_and_off_it_and_ends_for_good(site):
    offer = create(site)

    services.publish_offer(offer=offer, now=NOON)
    services.pause_offer(offer=offer, now=NOON, reason="cooling")
    assert Offer.objects.get(pk=offer.pk).paused_reason == "cooling"
    services.publish_offer(offer=offer, now=NOON)
    assert Offer.objects.get(pk=offer.pk).paused_reason == ""
    services.retire_offer(offer=offer, now=NOON)

    assert [kind for kind, _ in story(offer)] == [
        "offer.created", "offer.live", "offer.paused", "offer.live", "offer.retired",
    ]  # fmt: skip
    with pytest.raises(IllegalState):
        services.publish_offer(offer=offer, now=NOON)
    with pytest.raises(IllegalState):
        services.reprice_hours(offer=offer, rates_mm={0: 1}, version=offer.version, now=NOON)


def test_an_offer_without_any_price_is_not_published(site):
    offer = create(site, rate_mm=0)

    with pytest.raises(ValidationFailed):
        services.publish_offer(offer=offer, now=MONDAY)

    assert Offer.objects.get(pk=offer.pk).state == "draft"


def test_new_terms_count_a_version_and_leave_an_event():
    offer = make_offer()

    services.change_offer(offer=offer, changes={"title": " North ", "notice_s": 600}, version=1, now=NOON)

    stored = Offer.objects.get(pk=offer.pk)
    assert (stored.title, stored.notice_s, stored.version) == ("North", 600, 2)
    event = Event.objects.get(object_id=offer.public_id)
    assert (event.type, event.object_seq, event.facts) == ("offer.changed", 2, {"fields": ["notice_s", "title"]})


@pytest.mark.parametrize(
    "changes", [{}, {"units": 9}, {"state": "live"}, {"rate_mm": 1}, {"title": " "}, {"tier": "soft"}, {"boot_s": -1}]
)
def test_a_change_that_cannot_be_changes_nothing(changes):
    offer = make_offer()

    with pytest.raises(ValidationFailed):
        services.change_offer(offer=offer, changes=changes, version=1, now=NOON)

    assert Offer.objects.get(pk=offer.pk).version == 1
    assert story(offer) == []


def test_terms_of_an_older_version_or_of_a_retired_offer_stay():
    offer = make_offer()
    services.change_offer(offer=Offer.objects.get(pk=offer.pk), changes={"boot_s": 5}, version=1, now=NOON)

    with pytest.raises(StaleVersion):
        services.change_offer(offer=offer, changes={"boot_s": 6}, version=1, now=NOON)
    retired = Offer.objects.get(pk=offer.pk)
    services.retire_offer(offer=retired, now=NOON)
    with pytest.raises(IllegalState):
        services.change_offer(offer=retired, changes={"boot_s": 7}, version=3, now=NOON)

    assert Offer.objects.get(pk=offer.pk).boot_s == 5


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"tier": "firm"}, ["/tier"]),
        ({"units": 3}, ["/units"]),
        ({"site": make_site}, ["/twin"]),
        ({"second": True}, ["/twin"]),
    ],
)
def test_an_offer_that_cannot_share_machines_is_refused_by_field(site, fields, pointers):
    firm = make_offer(site, units=4)
    if fields.pop("second", False):
        create(site, twin=firm, tier="interruptible")
    where = fields.pop("site", lambda: site)()

    with pytest.raises(ValidationFailed) as refused:
        create(where, **({"twin": firm, "tier": "interruptible"} | fields))

    assert [problem.pointer for problem in refused.value.problems] == pointers


def test_offers_that_share_machines_keep_their_tiers(site):
    firm = make_offer(site, units=4)
    loose = create(site, twin=firm, tier="interruptible")

    for offer, tier in ((firm, "interruptible"), (loose, "firm")):
        with pytest.raises(ValidationFailed, match="/tier"):
            services.change_offer(offer=offer, changes={"tier": tier}, version=1, now=NOON)
