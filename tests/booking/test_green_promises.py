"""A reservation's green promise: given with it, given back with it, and paid for when it is missed."""

from datetime import timedelta

import pytest

from marketplace.booking.changing import extend, resize
from marketplace.booking.greenpromises import answer_misses, load_of, promisable_percent, promise_for
from marketplace.booking.models import ChargeLine, ServiceCredit
from marketplace.booking.services import cancel, confirm, hold_units
from marketplace.common.errors import IllegalState
from marketplace.energy.errors import PromiseTooLow
from marketplace.energy.models import GreenPromise, PromiseHour, PromiseMiss, ShareHour
from marketplace.events.models import Event
from marketplace.ledger.wallets import wallet_of
from tests.energy.plants import make_served, publish_grid
from tests.market import MONDAY, at, make_offer, make_organization, make_site

pytestmark = pytest.mark.django_db
NOW, TEN = MONDAY, at(MONDAY, 10)
SUN = [0] * 6 + [wh * 10 for wh in (100, 300, 500, 700, 900, 1000, 1000, 900, 700, 500, 300, 100)] + [0] * 6


@pytest.fixture
def offer():
    """An H100 draws 980 W, 1,176 W with the site's overhead; the sun makes 9 or 10 kWh at noon."""
    offer = make_offer(make_site(), units=8, now=NOW)
    make_served(offer.site.point, NOW, days=80, wh=SUN)
    publish_grid(offer.site.zone, NOW, 9)
    return offer


@pytest.fixture
def buyer():
    return make_organization(funds=1_000_000)


def reserve(buyer, offer, *, units=2, start=TEN, hours=2):
    return hold_units(buyer=buyer, offer=offer, units=units, start=start, end=start + timedelta(hours=hours), now=NOW)


def miss(promise: GreenPromise, matched: int, used: int, *, version: int = 2) -> PromiseMiss:
    return PromiseMiss.objects.create(
        promise=promise, receipt_version=version, matched_wh=matched, used_wh=used, told_at=NOW
    )


def charged(reservation, minor: int) -> ChargeLine:
    """A charge that was paid out long ago, so that a credit is owed."""
    return ChargeLine.objects.create(
        contract=reservation.contract, seq=1, attempt="att_x", during=(TEN, at(MONDAY, 11)), quantity=3600,
        charge_minor=minor, fee_minor=minor // 25, provider_minor=minor - minor // 25, tax_minor=0, livemode=False,
        pending_left=0, matures_at=NOW, matured_at=NOW, created_at=NOW,
    )  # fmt: skip


def test_the_load_is_the_most_that_the_units_can_draw(offer):
    assert load_of(offer, 2, at(MONDAY, 10, 30), at(MONDAY, 12)) == [1176, 2352]


def test_a_promise_is_given_with_the_reservation_and_told(buyer, offer):
    reservation = reserve(buyer, offer)

    promise = promise_for(reservation=reservation, asked_percent=90, now=NOW)

    assert (promise.subject, promise.promised_percent) == (reservation.public_id, 90)
    assert Event.objects.get(type="green_promise.given").facts["promised_percent"] == 90


def test_what_could_be_promised_falls_with_what_is_promised(buyer, offer):
    before = promisable_percent(offer=offer, units=8, start=TEN, end=at(MONDAY, 12), now=NOW)
    promise_for(reservation=reserve(buyer, offer, units=7), asked_percent=100, now=NOW)

    assert before == 97
    assert promisable_percent(offer=offer, units=8, start=TEN, end=at(MONDAY, 12), now=NOW) < 20


def test_far_ahead_nothing_is_promised(offer):
    start = TEN + timedelta(days=14)

    assert promisable_percent(offer=offer, units=1, start=start, end=start + timedelta(hours=1), now=NOW) == 0


def test_a_promise_below_the_floor_takes_nothing(buyer, offer):
    reservation = reserve(buyer, offer, start=at(MONDAY, 20))

    with pytest.raises(PromiseTooLow):
        promise_for(reservation=reservation, asked_percent=90, least_percent=50, now=NOW)

    assert GreenPromise.objects.count() == PromiseHour.objects.count() == 0


def test_a_cancelled_reservation_gives_its_part_of_the_sun_back(buyer, offer):
    reservation = reserve(buyer, offer)
    promise_for(reservation=reservation, asked_percent=90, now=NOW)

    cancel(reservation=reservation, now=NOW)

    assert set(ShareHour.objects.values_list("promised_ppm", flat=True)) == {0}


def test_a_promised_reservation_gets_no_more_units_but_more_hours(buyer, offer):
    reservation = reserve(buyer, offer)
    promise_for(reservation=reservation, asked_percent=90, now=NOW)
    confirm(reservation=reservation, now=NOW)

    with pytest.raises(IllegalState, match="90 % of this reservation's energy is promised"):
        resize(reservation=reservation, units=3, now=NOW)
    reservation.refresh_from_db()
    assert reservation.units == 2
    extend(reservation=reservation, hours=1, now=NOW)
    resize(reservation=reservation, units=1, now=NOW)


def test_a_missed_promise_is_paid_for_in_the_shares_of_the_charge(buyer, offer):
    reservation = reserve(buyer, offer)
    promise = promise_for(reservation=reservation, asked_percent=85, now=NOW)
    charged(reservation, 1827)
    miss(promise, 784, 1000)
    before = wallet_of(organization=buyer, asset="USD", livemode=False).available

    assert answer_misses(now=NOW) == 1
    assert answer_misses(now=NOW) == 0

    credit = ServiceCredit.objects.get()
    assert (credit.kind, credit.amount_minor, credit.fee_minor + credit.provider_minor) == ("green", 121, 121)
    assert wallet_of(organization=buyer, asset="USD", livemode=False).available == before + 121


def test_a_later_version_gives_only_the_difference_and_takes_nothing_back(buyer, offer):
    reservation = reserve(buyer, offer)
    promise = promise_for(reservation=reservation, asked_percent=85, now=NOW)
    charged(reservation, 1827)
    for version, matched in ((2, 784), (3, 700), (4, 840)):
        miss(promise, matched, 1000, version=version)

    assert answer_misses(now=NOW) == 3

    assert list(ServiceCredit.objects.order_by("pk").values_list("amount_minor", flat=True)) == [121, 275 - 121]


def test_a_promise_that_was_kept_on_a_charge_of_nothing_costs_nothing(buyer, offer):
    reservation = reserve(buyer, offer)
    promise = promise_for(reservation=reservation, asked_percent=85, now=NOW)
    miss(promise, 0, 1000)

    answer_misses(now=NOW)

    assert ServiceCredit.objects.count() == 0
    assert PromiseMiss.objects.get().answered_at == NOW
