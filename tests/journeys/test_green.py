"""Green energy from a roof to an auditor: a job runs by a local agent on a site with panels and a bought certificate.

Three days later its receipt is final, every Wh of it stands in the supply ledger, and the public page, the command and
the PDF agree. Only the days are helped: `greenhour` calls what the market calls itself, with the time it would be then.
"""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from pypdf import PdfReader

from config.launcher.folders import CHECKOUT
from tests.journeys.greenhour import BOUGHT_WH, ISSUANCE, REGION, SUN_WH, ZONE
from tests.journeys.people import Person, a_browser

pytestmark = [pytest.mark.running, pytest.mark.browser]
UNITS = 64
JOB = f"""\
name: by-the-sun
run: |
  end=$(($(date +%s) + 12)); while [ $(date +%s) -lt $end ]; do :; done
resources:
  accelerators: H100-PCIe:{UNITS}
config:
  joulemart: {{time_limit_s: 120, when: now, region: {REGION}}}
"""


def in_the_market(market, *arguments):
    """What a step of `greenhour` says, run in the market's environment."""
    code = "import django; django.setup(); from tests.journeys.greenhour import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    env = market.env | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(command, env=env, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def hall(market, tmp_path_factory):
    """A site of the provider with an agent of its own, and an offer of its accelerators, with panels on the roof."""
    site = in_the_market(market, "open")
    state = tmp_path_factory.mktemp("hall-agent") / "state"
    env = {name: market.env[name] for name in ("PATH", "HOME", "LANG") if name in market.env} | {
        "JOULEMART_URL": market.url, "JOULEMART_AGENT_KEY": site["agent_key"], "JOULEMART_AGENT_NAME": "hall",
        "JOULEMART_AGENT_STATE": str(state), "JOULEMART_AGENT_UNITS": str(UNITS),
    }  # fmt: skip
    state.mkdir(mode=0o700)
    with subprocess.Popen([sys.executable, "-m", "agent", "run"], cwd=CHECKOUT, env=env) as agent:
        try:
            opens_shelf(market, site)
            yield site
        finally:
            agent.terminate()


def opens_shelf(market, site):
    """Its owner puts the machines on the shelf and declares the panels, over HTTP."""
    headers = {"Authorization": f"Bearer {site['key']}"}
    http = httpx.Client(base_url=f"{market.url}/api/v1", headers=headers, timeout=30)

    def asks(path, body, **headers):
        answer = http.post(path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())} | headers)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    machines = {"site": site["site"], "hardware": "h100-pcie", "title": "Hall", "units": UNITS, "rate_mm": 200_000}
    offer = asks("/offers", machines | {"boot_s": 1})
    asks(f"/offers/{offer['id']}/publish", {}, **{"If-Match": f'"{offer["version"]}"'})
    plant = {
        "device_id": "hall roof", "name": "Panels on the hall", "kind": "onsite", "technology": "solar",
        "capacity_w": 400_000, "zone": ZONE, "commissioned_on": "2024-05-01",
    }  # fmt: skip
    source = asks("/energy_sources", plant)
    asks(f"/energy_sources/{source['id']}/shares", {"point": site["point"], "start": "2026-01-01T00:00:00Z"})


@pytest.fixture(scope="module")
def receipt(market, buyer, hall):
    """The final receipt of the job, as its buyer downloads it, with all its versions."""
    submitted = buyer.submit(JOB)
    assert submitted.status_code == 201, submitted.text
    job = buyer.wait(submitted.json()["id"], within_s=90)
    assert job["state"] == "succeeded", job
    id = job["id"]
    market.wait_for(lambda: buyer.get("/receipts", subject=id)["data"], "a provisional receipt", within_s=60)
    settled = in_the_market(market, "settle", id)
    [listed] = buyer.get("/receipts", subject=id)["data"]
    answer = buyer.http.get(f"/receipts/{listed['id']}")
    return {"id": listed["id"], "job": id, "bytes": answer.content, "file": answer.json(), **settled}


def last_version(receipt):
    """The payload of the newest version."""
    return receipt["file"]["versions"][-1]["payload"]


def test_the_receipt_is_final_and_each_wh_of_it_is_an_entry_of_the_ledger(market, receipt):
    payload = last_version(receipt)

    assert (payload["status"], payload["settled"], payload["sample"]) == ("final", True, False)
    assert [version["payload"]["status"] for version in receipt["file"]["versions"]] == [
        "provisional", "provisional", "final",
    ]  # fmt: skip
    assert payload["totals"]["site_wh"] == receipt["used_wh"] > SUN_WH + BOUGHT_WH
    assert payload["totals"]["onsite_wh"] == SUN_WH
    assert payload["totals"]["certificate_wh"] == BOUGHT_WH
    assert payload["totals"]["unmatched_wh"] == receipt["used_wh"] - SUN_WH - BOUGHT_WH
    assert {each["factor"] for each in payload["hours"]} == {0}
    assert payload["factors"][0]["source"] == "electricity_maps"
    listed = [[each["lot"], each["from_wh"], each["to_wh"], each["statement"]] for each in payload["certificates"]]
    assert sorted(listed) == sorted(receipt["entries"])
    assert {each["beneficiary"] for each in payload["certificates"]} == {payload["buyer"]["name"]}


def test_the_command_finds_it_valid_without_a_network(market, receipt, tmp_path):
    file, keys = tmp_path / "r.json", tmp_path / "keys.json"
    file.write_bytes(receipt["bytes"])
    keys.write_bytes(httpx.get(f"{market.url}/.well-known/jwks.json").content)
    command = [Path(sys.prefix) / "bin" / "joulemart", "receipts", "verify"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1"}

    def verify(name):
        return subprocess.run(
            [*command, name, "--keys", keys], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    genuine = verify(file)
    assert (genuine.returncode, "valid, final" in genuine.stdout) == (0, True), genuine.stdout + genuine.stderr
    changed = tmp_path / "changed.json"
    changed.write_bytes(receipt["bytes"].replace(b'"onsite_wh":%d' % SUN_WH, b'"onsite_wh":%d' % (SUN_WH + 1)))
    assert changed.read_bytes() != receipt["bytes"]
    assert verify(changed).returncode == 9


def test_the_public_page_accepts_it_and_refuses_a_changed_one(market, receipt, pictures, tmp_path):
    genuine, changed = tmp_path / "r.json", tmp_path / "changed.json"
    genuine.write_bytes(receipt["bytes"])
    changed.write_bytes(receipt["bytes"].replace(b"Sample Buyer Lab", b"Simple Buyer Lab"))
    with a_browser() as browser:
        visitor = Person(browser, market, pictures)
        for file, verdict in ((genuine, "Valid, Final"), (changed, "Not valid")):
            visitor.go("/verify/")
            visitor.page.set_input_files("#verify-file", file)
            visitor.press("Verify")
            visitor.page.get_by_role("heading", name=verdict, exact=True).wait_for()
        visitor.go(f"/verify/{receipt['id']}")
        visitor.reads(last_sha(receipt))


def last_sha(receipt):
    """The hash of the bytes that were signed in the newest version."""
    content = receipt["file"]["versions"][-1]["jws"].split(".")[1]
    return hashlib.sha256(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4))).hexdigest()


def test_the_buyer_reads_it_on_a_page_and_hands_the_pdf_to_an_auditor(market, receipt, pictures):
    with a_browser() as browser:
        buyer = Person(browser, market, pictures)
        buyer.sign_in_as("buyer")
        buyer.go(f"/receipts/{receipt['id']}/")
        buyer.reads("On-site meter record")
        buyer.look("green-receipt")
        content = buyer.file("PDF")
    (pictures / "green-receipt.pdf").write_bytes(content)
    text = re.sub(r"\s+", " ", "".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages))
    for expected in (receipt["id"], receipt["job"], last_sha(receipt)[:32], f"0 – {SUN_WH} Wh", ISSUANCE):
        assert expected in text, expected
