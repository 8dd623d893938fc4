"""Each source over the network, on answers of its documented shape and on its failures."""

import json
from datetime import timedelta
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from django.db import transaction

from marketplace.common.outside import CallInsideTransaction
from marketplace.energy.signals import door
from marketplace.energy.signals.base import Signal, whole_hours
from marketplace.energy.signals.errors import ProviderBusy, ProviderConfused, ProviderDown, ProviderRefused
from marketplace.energy.signals.factors import FACTORS, signals_of_mix
from marketplace.energy.signals.registry import ADAPTERS, provider_of
from marketplace.energy.signals.sources import SOURCES, Account
from marketplace.energy.signals.watttime import marginal_mg
from tests.energy.stand_ins import EIGHT, NINE, NOW, RECORDED, TEN, ZONES, always, ask, never, recorded

NAMES = sorted(ADAPTERS)


def points_of(name, handler=recorded):
    return ask(name, handler).points(zone=ZONES[name], start=EIGHT, end=TEN)


def changed(file, change):
    """A source whose answer in `file` is changed first."""

    def handler(request):
        answer = recorded(request)
        if answer.content == (RECORDED / file).read_bytes():
            told = json.loads(answer.content)
            change(told)
            return httpx.Response(200, json=told)
        return answer

    return handler


def test_every_source_has_an_adapter_and_its_facts():
    assert set(ADAPTERS) == set(SOURCES)


def test_electricity_maps_gives_hours_with_their_four_signals_and_its_word_for_estimates():
    first, second = whole_hours(points_of("electricity_maps"))

    assert (first.start, second.start) == (EIGHT, NINE)
    assert (first.lifecycle_mg, first.direct_mg, first.renewable_ppm, first.carbon_free_ppm) == (
        371_250, 322_000, 495_000, 524_000,
    )  # fmt: skip
    assert (first.estimated, second.estimated) == (False, True)
    assert first.issued_at == NOW.replace(minute=5, second=21, microsecond=2000)


def test_a_carbon_free_share_rounded_below_the_renewable_one_is_raised_to_it():
    _, nine = whole_hours(points_of("electricity_maps"))

    assert (nine.renewable_ppm, nine.carbon_free_ppm) == (520_000, 520_000)


def test_electricity_maps_is_asked_for_the_zone_and_span_with_the_key_in_a_header():
    asked = []

    points_of("electricity_maps", lambda request: asked.append(request) or recorded(request))

    assert {request.headers["auth-token"] for request in asked} == {"maps-key"}
    assert {request.url.params["start"] for request in asked} == {"2026-11-24T08:00:00Z"}
    assert all("maps-key" not in str(request.url) for request in asked)


def test_an_hour_that_lacks_one_of_its_signals_is_left_out():
    handler = changed("electricity_maps_direct.json", lambda told: told["data"][1].update(carbonIntensity=None))

    assert [hour.start for hour in whole_hours(points_of("electricity_maps", handler))] == [NINE]


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["data"][1].update(zone="FR"),
        lambda told: told["data"][1].update(emissionFactorType="direct"),
        lambda told: told["data"][1].update(carbonIntensity=-1),
        lambda told: told["data"][1].update(carbonIntensity=9_000),
        lambda told: told["data"][1].update(datetime="2026-11-24T08:00:00"),
        lambda told: told["data"][1].pop("datetime"),
        lambda told: told.update(temporalGranularity="daily"),
        lambda told: told.pop("data"),
    ],
)
def test_an_answer_of_electricity_maps_to_another_question_is_not_used(change):
    with pytest.raises(ProviderConfused):
        points_of("electricity_maps", changed("electricity_maps_lifecycle.json", change))


def test_watttime_signs_in_and_turns_pounds_per_mwh_into_milligrams():
    asked = []

    points = points_of("watttime", lambda request: asked.append(request) or recorded(request))

    assert [(point.start, point.kind, point.value) for point in points] == [
        (EIGHT, Signal.MARGINAL, 453_592),
        (NINE, Signal.MARGINAL, 447_242),
    ]
    assert [request.headers["Authorization"][:7] for request in asked] == ["Basic d", "Bearer "]


def test_a_thousand_pounds_per_mwh_are_453592_milligrams_and_no_float_is_near():
    assert marginal_mg(Fraction(1000)) == 453_592
    assert marginal_mg(Fraction(1)) == 454
    with pytest.raises(ValueError, match="never negative"):
        marginal_mg(Fraction(-1))


def test_an_hour_of_watttime_that_lacks_five_minutes_is_left_out():
    handler = changed("watttime_historical.json", lambda told: told["data"].pop(3))

    assert [point.start for point in points_of("watttime", handler)] == [NINE]


@pytest.mark.parametrize(
    "meta", [{"region": "ERCOT"}, {"units": "kg"}, {"signal_type": "co2_aoer"}, {"data_point_period_seconds": 420}]
)
def test_an_answer_of_watttime_in_other_units_or_about_something_else_is_not_used(meta):
    with pytest.raises(ProviderConfused):
        points_of("watttime", changed("watttime_historical.json", lambda told: told["meta"].update(meta)))


def test_halves_of_great_britain_make_an_hour_and_a_missing_half_makes_none():
    (hour,) = whole_hours(points_of("uk_carbon"))

    assert hour.start == EIGHT
    assert hour.direct_mg == 181_500  # of 180 and 183 g
    assert (hour.renewable_ppm, hour.carbon_free_ppm) == (372_500, 521_000)  # imports count as neither
    assert hour.lifecycle_mg == 231_450  # of what was generated at home: 41,707.2 / 180.2


def test_great_britains_shares_of_an_hour_need_both_halves():
    handler = changed("uk_carbon_generation.json", lambda told: told["data"].pop(1))

    assert list(whole_hours(points_of("uk_carbon", handler))) == []


@pytest.mark.parametrize("part", [{"fuel": "dilithium", "perc": 5}, {"fuel": "wind", "perc": 90}])
def test_a_mix_with_an_unknown_fuel_or_more_than_everything_is_not_used(part):
    handler = changed("uk_carbon_generation.json", lambda told: told["data"][0]["generationmix"].append(part))

    with pytest.raises(ProviderConfused):
        points_of("uk_carbon", handler)


def test_the_transparency_platforms_mix_makes_intensities_and_shares():
    (hour,) = whole_hours(points_of("entsoe"))

    assert hour.start == EIGHT  # of the next one, a quarter of one technology is missing
    assert (hour.lifecycle_mg, hour.direct_mg) == (395_450, 331_750)
    assert (hour.renewable_ppm, hour.carbon_free_ppm) == (325_000, 425_000)


def test_the_transparency_platform_is_asked_for_realised_generation_of_the_area():
    asked = []

    points_of("entsoe", lambda request: asked.append(request) or recorded(request))

    (request,) = asked
    assert dict(request.url.params) == {
        "securityToken": "entsoe-key", "documentType": "A75", "processType": "A16", "in_Domain": "10Y1001A1001A82H",
        "periodStart": "202611240800", "periodEnd": "202611241000",
    }  # fmt: skip


def entsoe_with(old, new):
    text = (RECORDED / "entsoe_generation.xml").read_text()
    assert old in text
    return always(200, text.replace(old, new).encode())


def test_a_value_is_held_only_where_the_curve_says_so():
    strict = entsoe_with("<curveType>A03</curveType>", "<curveType>A01</curveType>")

    assert list(whole_hours(points_of("entsoe", strict))) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<psrType>B16</psrType>", "<psrType>B99</psrType>"),
        ("MAW", "KWT"),
        ("PT15M", "P1D"),
        ("<quantity>3000</quantity>", "<quantity>lots</quantity>"),
        ("GL_MarketDocument", "Publication_MarketDocument"),
        ("</GL_MarketDocument>", ""),
        ("<GL_MarketDocument", '<!DOCTYPE x [<!ENTITY e "boom">]><GL_MarketDocument'),
    ],
)
def test_a_document_that_is_not_of_the_documented_shape_is_not_used(old, new):
    with pytest.raises(ProviderConfused):
        points_of("entsoe", entsoe_with(old, new))


@pytest.mark.parametrize("status", [200, 400])
def test_no_data_at_the_transparency_platform_are_no_points(status):
    assert points_of("entsoe", always(status, (RECORDED / "entsoe_nothing.xml").read_bytes())) == []


def test_any_other_refusal_of_the_transparency_platform_is_one():
    with pytest.raises(ProviderRefused, match="reason 401"):
        points_of("entsoe", always(400, (RECORDED / "entsoe_refusal.xml").read_bytes()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_a_refused_key_is_told_as_refused_without_the_key(name, status):
    with pytest.raises(ProviderRefused) as failure:
        points_of(name, always(status, headers={"Location": "https://elsewhere.example.test"}))

    assert str(failure.value) == f"{name} answers {status}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("after", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("Tue, 24 Nov 2026 10:50:00 GMT", timedelta(minutes=10)),
        ("Tue, 24 Nov 2026 09:00:00 GMT", timedelta(0)),
        ("999999999999", timedelta(days=1)),
        ("soon", None),
    ],
)
def test_a_source_that_is_asked_too_often_says_when_to_come_back(name, after, wait):
    with pytest.raises(ProviderBusy) as failure:
        points_of(name, always(429, headers={"Retry-After": after}))

    assert failure.value.wait == wait


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("handler", [always(500), always(503), never], ids=["500", "503", "time-out"])
def test_a_source_that_does_not_answer_is_down(name, handler):
    with pytest.raises(ProviderDown) as failure:
        points_of(name, handler)

    assert "key" not in str(failure.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[1, 2]", b'{"data": 7, "token": 1}', b"\xff\xfe", b"null"])
def test_a_malformed_answer_is_told_as_such(name, body):
    with pytest.raises(ProviderConfused):
        points_of(name, always(200, body))


def test_an_answer_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(door, "MOST_BYTES", 10)

    with pytest.raises(ProviderConfused, match="more than 10 bytes"):
        points_of("uk_carbon", always(200, b"x" * 11))


def test_all_answers_of_one_fetch_together_have_their_time(monkeypatch):
    monkeypatch.setattr(door, "ALL_S", 0.0)

    with pytest.raises(ProviderDown, match="took more than"):
        points_of("uk_carbon")


@pytest.mark.django_db
def test_no_source_is_asked_within_a_transaction():
    asked = []

    for name in NAMES:
        with transaction.atomic(), pytest.raises(CallInsideTransaction):
            points_of(name, lambda request: asked.append(request) or recorded(request))

    assert asked == []


def test_shares_of_a_mix_are_rounded_down_and_intensities_up():
    mix = {"wind_onshore": Fraction(1), "coal": Fraction(2)}

    assert signals_of_mix(mix) == {
        Signal.DIRECT: 506_667, Signal.LIFECYCLE: 550_334, Signal.RENEWABLE: 333_333, Signal.CARBON_FREE: 333_333,
    }  # fmt: skip


def test_whatever_is_renewable_is_free_of_carbon():
    assert all(factor.carbon_free for factor in FACTORS.values() if factor.renewable)


class Served(BaseHTTPRequestHandler):
    """The recorded answers over a real connection."""

    def do_GET(self):
        answer = recorded(httpx.Request("GET", f"https://carbon.example.test{self.path}"))
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_):
        """Nothing."""


def test_answers_come_over_a_real_connection_too():
    with ThreadingHTTPServer(("127.0.0.1", 0), Served) as server, httpx.Client() as client:
        Thread(target=server.serve_forever, daemon=True).start()
        account = Account(f"http://127.0.0.1:{server.server_port}")
        provider = provider_of("uk_carbon", account=account, region="GB", asked_at=NOW, client=client)

        points = provider.points(zone="GB", start=EIGHT, end=TEN)
        server.shutdown()

    assert list(whole_hours(points)) == list(whole_hours(points_of("uk_carbon")))
    with httpx.Client() as client, pytest.raises(ProviderDown):
        provider_of("uk_carbon", account=account, region="GB", asked_at=NOW, client=client).points(
            zone="GB", start=EIGHT, end=TEN
        )
