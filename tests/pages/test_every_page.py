"""Every page, signed in where it needs to be, in both themes, languages and widths: axe-core finds nothing, no request
leaves the host, nothing is wider than the screen, and the console stays silent."""

import io
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.launcher.folders import CHECKOUT
from config.launcher.instance import Instance, free_port_pair

pytestmark = [pytest.mark.running, pytest.mark.browser]
CHROMIUM = Path("/usr/bin/chromium")
AXE = "axe-core@4.14.1"
VARIANTS = [(1280, "light", "en"), (390, "dark", "en"), (1280, "dark", "zh-hans"), (390, "light", "zh-hans")]
PAGES = {
    "": ["/", "/?view=map", "/?q=nothing+has+this+name", "/accounts/login/", "/accounts/signup/", "/status/", "/docs/",
         "/docs/architecture/", "/compare/", "/nowhere/", "/offers/{offer}/", "/docs/errors/",
         "/accounts/password/reset/", "/compare/?offer={offer}&offer={own}", "/?renewable_share__gte=80",
         "/?near=shanghai&units=8&hours=6", "/verify/", "/verify/rct_nothing/", "/energy/", "/energy/zones/"],
    "buyer": ["/jobs/", "/jobs/new/", "/jobs/{job}/", "/reservations/", "/accounts/2fa/", "/accounts/email/",
              "/reservations/{reservation}/", "/reservations/{reservation}/?hours=2",
              "/reservations/{reservation}/?units=1", "/jobs/new/?reservation={reservation}", "/jobs/{inside}/",
              "/accounts/password/change/", "/jobs/new/?example=factorize", "/jobs/?name=nothing", "/console/",
              "/invoices/", "/invoices/details/", "/receipts/", "/receipts/reports/",
              "/wallet/", "/wallet/?amount=7.25&next=/jobs/new/", "/wallet/?month=2020-01"],
    "provider": ["/console/", "/console/offers/", "/console/offers/new/", "/console/offers/{own}/", "/console/jobs/",
                 "/console/agents/", "/console/payouts/", "/console/meters/",
                 "/console/certificates/", "/console/?hours=168"],
}  # fmt: skip


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checker's script, from the npm registry; a development tool, so it is not kept in the project."""
    if shutil.which("npm") is None or not CHROMIUM.exists():
        pytest.skip("needs npm, and chromium of Debian")
    folder = tmp_path_factory.mktemp("axe")
    packed = subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, check=False)
    if packed.returncode:
        pytest.skip(f"the npm registry does not answer: {packed.stderr[:200]}")
    with tarfile.open(fileobj=io.BytesIO((folder / packed.stdout.split()[-1]).read_bytes())) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    plenty = {"RATE_READ": "100000", "RATE_WRITE": "100000", "RATE_ANONYMOUS": "100000"}
    data = tmp_path_factory.mktemp("pages") / "data"
    with Instance(data_dir=data, port=free_port_pair(), env=plenty) as instance:
        yield instance


@pytest.fixture(scope="module")
def names(market: Instance) -> dict[str, str]:
    """An offer, the provider's own offer, a finished job, a reservation and a job inside it."""
    account = market.sample["accounts"]["buyer"]
    api = httpx.Client(
        base_url=f"{market.url}/api/v1", headers={"Authorization": f"Bearer {account['api_key']}"}, timeout=30
    )
    offers = api.get("/offers").json()["data"]
    own = api.get("/offers", params={"family": "cpu", "limit": 100}).json()["data"]
    example = (CHECKOUT / "docs" / "examples" / "factorize.yaml").read_text()
    headers = {"Content-Type": "application/yaml", "Idempotency-Key": str(uuid.uuid4())}
    job = api.post("/jobs", content=example, headers=headers).json()["id"]
    market.wait_for(lambda: api.get(f"/jobs/{job}").json()["state"] == "succeeded", "the job succeeds", within_s=240)
    mine = next(each["id"] for each in own if each["site"]["name"] == "This machine")
    return {"offer": offers[0]["id"], "own": mine, "job": job, **reserved(api)}


def reserved(api: httpx.Client) -> dict[str, str]:
    """A reservation of whatever is best, and a job inside it."""

    def post(path: str, **body: Any) -> Any:
        answer = api.post(path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        assert answer.status_code < 400, answer.text
        return answer.json()

    quote = post("/quotes", units=2, hours=2, where={"accelerator": "vCPU"})
    held = post("/reservations", quote=quote["id"])["id"]
    file = "run: sleep 1\nconfig: {joulemart: {time_limit_s: 600}}\n"
    return {"reservation": held, "inside": post("/jobs", file=file, reservation=held)["id"]}


def sign_in(page: Any, market: Instance, role: str) -> None:
    account = market.sample["accounts"][role]
    page.goto(f"{market.url}/accounts/login/")
    page.fill("input[name=login]", account["email"])
    page.fill("input[name=password]", account["password"])
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/accounts/login" not in url)


def look_at(page: Any, address: str, axe: str) -> list[str]:
    """Everything that is wrong with one page, in words."""
    response = page.goto(address)
    page.wait_for_load_state("load")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    faults = [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        faults.append("wider than the screen")
    if response.status >= 500:
        faults.append(f"status {response.status}")
    return faults


@pytest.mark.parametrize(("width", "theme", "language"), VARIANTS)
def test_every_page_is_sound(market, names, axe, width, theme, language):
    from playwright.sync_api import sync_playwright

    faults: dict[str, list[str]] = {}
    strangers: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        for role, addresses in PAGES.items():
            context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
            cookies = {"theme": theme, "django_language": language}
            context.add_cookies([{"name": key, "value": value, "url": market.url} for key, value in cookies.items()])
            page = context.new_page()
            page.on("request", lambda request: strangers.append(request.url) if is_foreign(request.url) else None)
            if role:
                sign_in(page, market, role)
            for address in addresses:
                found = look_at(page, market.url + address.format(**names), axe)
                if found:
                    faults[f"{role} {address}"] = found
            context.close()
        browser.close()

    assert faults == {}
    assert strangers == []


def is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "data:", "blob:"))
