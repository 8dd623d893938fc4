"""Test money and live money never mix, and a setting that would mix them stops the start."""

import os
import subprocess
import sys

import pytest

from config.env import BadSetting
from config.payments import STRIPE_API, payments
from marketplace.ledger.gateways import current_gateway, gateway_of
from tests.architecture.source import ROOT

TEST, LIVE = "sk_test_abc", "sk_live_abc"
NAMES = (
    "PAYMENT_GATEWAY", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS", "STRIPE_ACCOUNT_ID", "STRIPE_LIVEMODE",
    "STRIPE_API_BASE", "SANDBOX_FAULTS", "SANDBOX_WEBHOOK_SECRET", "ALLOW_TEST_MONEY", "PRODUCTION",
)  # fmt: skip
WHOLE = {
    "PAYMENT_GATEWAY": "stripe", "STRIPE_API_KEY": TEST, "STRIPE_WEBHOOK_SECRETS": "whsec_1,whsec_2",
    "STRIPE_ACCOUNT_ID": "acct_1",
}  # fmt: skip


@pytest.fixture
def read(monkeypatch, tmp_path):
    """What the settings of payments are with these variables and no other."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)

    def read_with(**given):
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return payments(tmp_path)

    return read_with


def test_with_nothing_set_the_sandbox_takes_test_money_with_a_secret_made_once(read, tmp_path):
    first, again = read(), read()

    assert (first.gateway, first.livemode, first.api_base) == ("sandbox", False, STRIPE_API)
    assert len(first.sandbox_secret) > 40
    assert again == first
    kept = tmp_path / "secrets" / "sandbox_webhook"
    assert (kept.stat().st_mode & 0o777, kept.read_text()) == (0o600, first.sandbox_secret)
    assert read(SANDBOX_WEBHOOK_SECRET="whsec_given").sandbox_secret == "whsec_given"


def test_stripe_is_used_with_a_whole_set_of_settings(read):
    found = read(**WHOLE)

    assert (found.gateway, found.api_key, found.webhook_secrets, found.account, found.livemode) == (
        "stripe", TEST, ("whsec_1", "whsec_2"), "acct_1", False,
    )  # fmt: skip
    assert read(STRIPE_API_BASE="http://127.0.0.1:9/").api_base == "http://127.0.0.1:9"


def test_what_is_set_to_nothing_is_as_if_unset(read):
    names = ("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS", "STRIPE_ACCOUNT_ID", "STRIPE_API_BASE", "SANDBOX_FAULTS")

    assert read(**dict.fromkeys(names, "")) == read()


def test_a_live_key_goes_to_stripe_itself(read):
    assert read(**WHOLE | {"STRIPE_API_KEY": LIVE, "STRIPE_LIVEMODE": "1"}).livemode is True


@pytest.mark.parametrize("missing", ["STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS", "STRIPE_ACCOUNT_ID"])
def test_half_of_stripe_is_refused(read, missing):
    with pytest.raises(BadSetting, match=missing):
        read(**{name: value for name, value in WHOLE.items() if name != missing})


@pytest.mark.parametrize("key", [TEST, "rk_test_abc"])
def test_a_test_key_does_not_take_live_money(read, key):
    with pytest.raises(BadSetting, match="test key and STRIPE_LIVEMODE is True"):
        read(**WHOLE | {"STRIPE_API_KEY": key, "STRIPE_LIVEMODE": "1"})


@pytest.mark.parametrize("key", [LIVE, "rk_live_abc"])
def test_a_live_key_does_not_pass_for_test_money(read, key):
    with pytest.raises(BadSetting, match="live key and STRIPE_LIVEMODE is False"):
        read(**WHOLE | {"STRIPE_API_KEY": key})


@pytest.mark.parametrize("key", ["pk_test_abc", "abc", "SK_TEST_abc"])
def test_what_is_no_secret_key_is_refused(read, key):
    with pytest.raises(BadSetting, match="no secret key"):
        read(**WHOLE | {"STRIPE_API_KEY": key})


@pytest.mark.parametrize("base", ["http://127.0.0.1:9", "https://api.stripe.com.evil.test", "http://api.stripe.com"])
def test_a_live_key_is_sent_nowhere_else(read, base):
    with pytest.raises(BadSetting, match="live STRIPE_API_KEY"):
        read(**WHOLE | {"STRIPE_API_KEY": LIVE, "STRIPE_LIVEMODE": "1", "STRIPE_API_BASE": base})


def test_a_key_is_checked_even_while_the_sandbox_takes_the_money(read):
    with pytest.raises(BadSetting, match="live key"):
        read(**WHOLE | {"PAYMENT_GATEWAY": "sandbox", "STRIPE_API_KEY": LIVE})


def test_production_does_not_sell_for_test_money_unless_that_is_wanted(read):
    with pytest.raises(BadSetting, match="ALLOW_TEST_MONEY=1"):
        read(PRODUCTION="1")
    assert read(ALLOW_TEST_MONEY="1").gateway == "sandbox"


def test_production_takes_live_money_and_test_money_of_stripe_no_more_than_of_the_sandbox(read):
    with pytest.raises(BadSetting, match="ALLOW_TEST_MONEY=1"):
        read(**WHOLE | {"PRODUCTION": "1"})
    assert read(**WHOLE | {"STRIPE_API_KEY": LIVE, "STRIPE_LIVEMODE": "1"}).livemode


@pytest.mark.parametrize("faults", ["dup=2", "chaos=1", "seed"])
def test_faults_that_cannot_be_read_are_refused(read, faults):
    with pytest.raises(BadSetting, match="SANDBOX_FAULTS"):
        read(SANDBOX_FAULTS=faults)


@pytest.mark.parametrize(("given", "said"), [
    ({"PRODUCTION": "1"}, "ALLOW_TEST_MONEY"),
    ({"SANDBOX_FAULTS": "dup=2"}, "SANDBOX_FAULTS"),
    ({**WHOLE, "STRIPE_API_KEY": LIVE}, "STRIPE_LIVEMODE"),
    ({"PAYMENT_GATEWAY": "cash"}, "PAYMENT_GATEWAY"),
])  # fmt: skip
def test_the_start_stops_with_one_line(given, said):
    start = [sys.executable, "manage.py", "check"]
    done = subprocess.run(start, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert LIVE not in done.stderr


def test_processors_are_had_by_name(settings):
    settings.STRIPE_API_KEY, settings.STRIPE_WEBHOOK_SECRETS = TEST, ("whsec_1",)

    assert (gateway_of("sandbox").name, gateway_of("stripe").name) == ("sandbox", "stripe")
    assert current_gateway() is gateway_of("sandbox")
    settings.PAYMENT_GATEWAY = "stripe"
    assert current_gateway() is gateway_of("stripe")
    assert current_gateway().livemode is False


@pytest.mark.parametrize("name", ["", "cash", "STRIPE", "stripe"])
def test_a_processor_that_is_not_set_up_is_none(settings, name):
    settings.STRIPE_API_KEY = ""

    with pytest.raises(LookupError):
        gateway_of(name)
