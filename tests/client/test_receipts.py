"""Receipts in the SDK: the same calls from both clients, keys remembered, and verification that opens no socket."""

import asyncio
import json
import socket
import stat
from pathlib import Path

import pytest
from joulemart import AsyncClient, Client, ConfigError, WaitTimedOut, receipts
from joulemart.cli import run
from joulemart.pins import PinnedKeys

from tests.energy.receipt_papers import file_bytes, keys_of

from . import answers, receipt_scene
from .receipt_scene import STRANGER, versions
from .stand_in import KEY, Answer, StandIn


@pytest.fixture
def scene(market: StandIn, client: Client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    receipt_scene.set_up(market)
    return client


def test_a_receipt_is_listed_read_printed_and_verified(scene, market):
    [listed] = scene.receipts.list(status="final")
    file = scene.receipts.get(listed.id, version=2)

    assert (listed.totals["site_wh"], listed.shares["matched_ppm"], listed.sites[0].name) == (1_000, 600_000, "Site 0")
    assert (file.receipt, file.payload["status"]) == ("rct_88c1", "final")
    assert market.asked("GET", "/receipts/rct_88c1")[0].query == [("version", "2")]
    assert scene.receipts.pdf("rct_88c1") == b"%PDF-1.4"
    assert scene.receipts.verify(file).code == "valid"
    assert scene.receipts.verify(Path("forged.json")).code == "key_untrusted"
    assert scene.receipts.verify(Path("forged.json"), keys=Path("others.json").read_bytes()).code == "valid"


def test_the_async_client_makes_the_same_calls(scene, market):
    async def ask():
        async with AsyncClient(url=market.url, api_key=KEY) as client:
            listed = [each.id async for each in client.receipts.list()]
            file = await client.receipts.get(listed[0])
            paper = await client.receipts.pdf(listed[0])
            return listed, paper, (await client.receipts.verify(file)).code

    assert asyncio.run(ask()) == (["rct_88c1"], b"%PDF-1.4", "valid")


def test_a_job_that_has_ended_brings_its_receipt(scene, market):
    market.on("GET", "/jobs/job_4f21", Answer(answers.ended_job()))
    market.on("GET", "/receipts", Answer(answers.page([])), Answer(answers.page([receipt_scene.summary()])))

    file = scene.jobs.get("job_4f21").receipt()

    assert file.receipt == "rct_88c1"
    assert dict(market.asked("GET", "/receipts")[-1].query)["subject"] == "job_4f21"
    market.on("GET", "/receipts", Answer(answers.page([])))
    with pytest.raises(WaitTimedOut):
        scene.jobs.get("job_4f21").receipt(timeout_s=0)


def test_keys_are_pinned_once_in_a_file_of_their_owner(market):
    pins, ours, others = PinnedKeys(), json.dumps(keys_of()).encode(), json.dumps(keys_of(STRANGER)).encode()

    assert pins.of(market.url) is None
    assert pins.meet(market.url, b'{"keys": []}').first is False
    assert pins.of(market.url) is None
    assert pins.meet(market.url, ours).first
    changed = pins.meet(market.url, others)

    assert (len(changed.new), len(changed.gone), changed.first) == (1, 1, False)
    assert pins.of(market.url) == receipts.read_keys(ours)
    assert stat.S_IMODE(pins.path.stat().st_mode) == 0o600
    assert pins.of("https://another.example") is None


def test_a_broken_file_of_pinned_keys_is_told_and_not_replaced(market):
    pins = PinnedKeys()
    pins.path.parent.mkdir(parents=True)
    pins.path.write_text("{")

    with pytest.raises(ConfigError, match="remove it"):
        pins.meet(market.url, json.dumps(keys_of()).encode())

    assert pins.path.read_text() == "{"


@pytest.fixture
def no_network(monkeypatch):
    """Whoever opens a socket or asks for an address fails."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_the_command_verifies_with_no_network(tmp_path, monkeypatch, no_network, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOULEMART_URL", "http://market.example")
    Path("r.json").write_bytes(file_bytes(*versions()))
    PinnedKeys().meet("http://market.example", json.dumps(keys_of()).encode())

    assert run(["receipts", "verify", "r.json"]) == 0
    assert capsys.readouterr().out == "valid, final\n"
    assert run(["receipts", "verify", "r.json", "--quiet"]) == 0
    assert capsys.readouterr() == ("valid, final\n", "")


def test_what_show_prints_as_json_is_what_verify_reads(scene, market, monkeypatch, capsys):
    monkeypatch.setenv("JOULEMART_URL", market.url)
    monkeypatch.setenv("JOULEMART_API_KEY", KEY)

    assert run(["receipts", "show", "rct_88c1", "--json"]) == 0
    Path("shown.json").write_text(capsys.readouterr().out)

    assert run(["receipts", "verify", "shown.json"]) == 0
    assert capsys.readouterr().out == "valid, final\n"
