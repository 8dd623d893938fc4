"""Who the command acts for: a key that was checked, a sample account, or nobody."""

import json
from pathlib import Path

import pytest
from joulemart.cli import run

from . import answers
from .stand_in import KEY, Answer, StandIn, problem

pytestmark = pytest.mark.usefixtures("session")


def test_nobody_signed_in_is_told_how(
    market: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOULEMART_API_KEY")
    market.on("GET", "/jobs", problem(401, "authentication_required"))

    assert run(["jobs", "ls"]) == 3
    assert "run `joulemart login` or set JOULEMART_API_KEY" in capsys.readouterr().err


def test_login_checks_the_key_before_it_keeps_it(
    market: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    market.on("GET", "/me", problem(401, "key_revoked", "this key was revoked"), Answer(answers.me()))

    assert run(["login", "--yes"]) == 3
    assert not (tmp_path / "xdg").exists()

    assert run(["login", "--yes"]) == 0
    monkeypatch.delenv("JOULEMART_API_KEY")
    monkeypatch.delenv("JOULEMART_URL")
    assert run(["me", "--quiet"]) == 0
    assert market.seen[-1].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in capsys.readouterr().out


def test_as_picks_a_sample_account_before_or_after_the_command(market: StandIn, tmp_path: Path) -> None:
    accounts = {role: {"api_key": f"jm_test_{role}"} for role in ("buyer", "provider", "operator")}
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "sample.json").write_text(json.dumps({"url": market.url, "accounts": accounts}))

    assert run(["--as", "provider", "provider", "agents", "ls"]) == 0
    assert run(["me", "--as", "operator"]) == 0

    used = [seen.headers["authorization"] for seen in market.seen]
    assert used == ["Bearer jm_test_provider", "Bearer jm_test_operator"]
