"""A provider takes machines back while interruptible work runs on them: told, saved, ended, queued again."""

import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

pytestmark = pytest.mark.running
FILE = """\
name: long
run: |
  trap 'echo saved > state.txt; echo saving; exit 0' TERM
  echo up
  while :; do sleep 0.1; done
resources:
  cpus: 2
config:
  joulemart: {{time_limit_s: 14400, finish_by: "{finish_by}", tier: interruptible, outputs: [state.txt]}}
"""


class Provider:
    """The sample provider over plain HTTP."""

    def __init__(self, market):
        key = market.sample["accounts"]["provider"]["api_key"]
        self.http = httpx.Client(
            base_url=f"{market.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    def own_offer(self):
        offers = self.http.get("/offers", params={"accelerator": "vCPU", "limit": 100}).json()["data"]
        return next(each for each in offers if each["title"] == "This machine · vCPU")

    def share(self, firm):
        """An interruptible offer on the machines of `firm`, on the shelf."""
        body = {
            "site": firm["site"]["id"], "hardware": firm["hardware"]["slug"], "title": "What is left",
            "units": firm["units"], "rate_mm": 700, "tier": "interruptible", "twin": firm["id"], "notice_s": 20,
        }  # fmt: skip
        offer = self.http.post("/offers", json=body, headers={"Idempotency-Key": str(uuid.uuid4())}).json()
        return self.change(offer, "POST", "/publish")

    def change(self, offer, method, path="", **body):
        headers = {"If-Match": f'"{offer["version"]}"', "Idempotency-Key": str(uuid.uuid4())}
        answer = self.http.request(method, f"/offers/{offer['id']}{path}", json=body or None, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_work_saves_its_state_within_its_notice_and_waits_for_another_turn(market, buyer):
    provider = Provider(market)
    firm = provider.own_offer()
    provider.share(firm)
    soon = datetime.now(UTC) + timedelta(seconds=14_400 + 900)  # so that it begins now, though later were greener
    job = buyer.submit(FILE.format(finish_by=soon.isoformat())).json()["id"]
    buyer.wait(job, "running")
    market.wait_for(lambda: "up" in buyer.log(job), "the work is up", within_s=30)

    provider.change(firm, "PATCH", units=1)

    market.wait_for(lambda: buyer.get(f"/jobs/{job}")["attempts"][0]["reason"], "it has ended", within_s=60)
    told = buyer.get(f"/jobs/{job}")
    first = told["attempts"][0]
    assert (first["reason"], told["state"]) == ("preempted", "queued")
    assert "The provider took the machines back. It is queued again and loses no try." in told["sentence"]
    assert buyer.log(job).endswith("saving\n")
    [output] = told["outputs"]
    assert httpx.get(market.url + output["url"]).text == "saved\n"
    assert told["cost"]["to_date_minor"] == 0
