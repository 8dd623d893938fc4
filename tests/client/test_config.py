"""Where the address and the key come from, and that a key stays with its address."""

import json
import stat
from pathlib import Path

import joulemart
import pytest
from joulemart import Client
from joulemart.config import login_path, resolve, save_login

SAMPLE_KEY, LOGIN_KEY, ENV_KEY = "jm_test_sample", "jm_test_login", "jm_test_env"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "DATA_DIR": str(tmp_path / "var")}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    accounts = {role: {"api_key": f"{SAMPLE_KEY}_{role}"} for role in ("buyer", "provider", "operator")}
    path = tmp_path / "var" / "sample.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"url": "http://127.0.0.1:8123", "accounts": accounts}))
    return path


def test_a_sample_market_needs_no_login(environ: dict[str, str], sample: Path) -> None:
    found = resolve(environ=environ)

    assert (found.url, found.api_key) == ("http://127.0.0.1:8123", f"{SAMPLE_KEY}_buyer")


def test_a_login_comes_before_the_sample(environ: dict[str, str], sample: Path) -> None:
    save_login(url="https://market.example", api_key=LOGIN_KEY, environ=environ)

    assert resolve(environ=environ).api_key == LOGIN_KEY


def test_the_environment_comes_first(environ: dict[str, str], sample: Path) -> None:
    save_login(url="https://market.example", api_key=LOGIN_KEY, environ=environ)

    found = resolve(environ=environ | {"JOULEMART_URL": "https://other.example/", "JOULEMART_API_KEY": ENV_KEY})

    assert (found.url, found.api_key) == ("https://other.example", ENV_KEY)


def test_a_key_is_not_sent_to_an_address_it_was_not_saved_for(environ: dict[str, str], sample: Path) -> None:
    save_login(url="https://market.example", api_key=LOGIN_KEY, environ=environ)

    assert resolve(environ=environ | {"JOULEMART_URL": "https://other.example"}).api_key is None
    assert resolve(environ=environ | {"JOULEMART_URL": "http://127.0.0.1:8123"}).api_key == f"{SAMPLE_KEY}_buyer"
    assert Client(url="https://other.example").settings.api_key is None


def test_another_sample_account_can_be_asked_for(environ: dict[str, str], sample: Path) -> None:
    save_login(url="https://market.example", api_key=LOGIN_KEY, environ=environ)

    assert resolve(account="provider", environ=environ).api_key == f"{SAMPLE_KEY}_provider"


def test_a_sample_account_without_a_sample_market_is_explained(environ: dict[str, str]) -> None:
    with pytest.raises(
        joulemart.ConfigError, match=r"--as provider needs a running sample market: .*sample\.json is missing"
    ):
        resolve(account="provider", environ=environ)


def test_a_login_file_is_its_owners_alone(environ: dict[str, str]) -> None:
    save_login(url="https://market.example", api_key="jm_live_old", environ=environ)
    path = save_login(url="https://market.example", api_key=LOGIN_KEY, environ=environ)

    assert path == login_path(environ)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert resolve(environ=environ).api_key == LOGIN_KEY


@pytest.mark.parametrize("text", ["url = ", "url = 3\napi_key = 4\n", "", b"\xff"])
def test_a_broken_login_file_is_named_with_its_mend(environ: dict[str, str], text: str | bytes) -> None:
    path = login_path(environ)
    path.parent.mkdir(parents=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(joulemart.ConfigError, match=r"config\.toml .*run `joulemart login` again"):
        resolve(environ=environ)


def test_a_broken_sample_file_is_named_with_its_mend(environ: dict[str, str], sample: Path) -> None:
    sample.write_text("{}")

    with pytest.raises(joulemart.ConfigError, match=r"sample\.json .*make reset"):
        resolve(environ=environ)


def test_an_address_needs_its_scheme(environ: dict[str, str]) -> None:
    with pytest.raises(joulemart.ConfigError, match="must start with http"):
        resolve(environ=environ | {"JOULEMART_URL": "market.example"})


def test_a_key_does_not_show_when_settings_are_printed(environ: dict[str, str], sample: Path) -> None:
    assert SAMPLE_KEY not in repr(resolve(environ=environ))
