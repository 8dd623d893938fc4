"""People of a running market in a real browser: what they press, what they read, and how their pages look."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from celery import Celery

from config.launcher.instance import Instance

CHROMIUM = Path("/usr/bin/chromium")
LOOKS = {"wide-light-en": (1280, "light", "en"), "narrow-dark-zh": (390, "dark", "zh-hans")}
PATIENCE_MS = 60_000


class Person:
    """Somebody at a browser of their own; `stations` are kept as pictures in both looks."""

    def __init__(self, browser: Any, market: Instance, pictures: Path) -> None:
        self.market, self.pictures = market, pictures
        self.browser, self.page = browser, browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        self.page.set_default_timeout(PATIENCE_MS)

    def go(self, path: str) -> None:
        answer = self.page.goto(f"{self.market.url}{path}")
        assert answer.status == 200, f"{path}: {answer.status}"

    def press(self, name: str, *, role: str = "button", on: str = "main") -> None:
        """Press the first control of this name and wait for the page that it leads to."""
        self.page.locator(on).get_by_role(role, name=name).first.click()
        self.page.wait_for_load_state("load")

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.locator(f"[name={name}]:visible").first.fill(value)

    def reads(self, text: str) -> None:
        """The page says `text`, now or soon."""
        self.page.locator("main, #content-main").get_by_text(text).first.wait_for()

    def waits_to_read(self, text: str, path: str) -> None:
        """The page at `path`, looked at again and again, says `text` one day."""

        def told() -> bool:
            self.go(path)
            return text in self.page.inner_text("main")

        self.market.wait_for(told, f"{path} says {text!r}", within_s=90)

    def waits_to_be(self, state: str, path: str) -> None:
        """Something on the page at `path`, looked at again and again, is in this state one day."""

        def there() -> bool:
            self.go(path)
            return bool(self.page.locator(f"main [data-state={state}]").count())

        self.market.wait_for(there, f"{path} is {state}", within_s=90)

    def amount(self, name: str) -> int:
        """The first figure called `name` on the page, in minor units."""
        return self.amounts(name)[0]

    def amounts(self, name: str) -> list[int]:
        """Every figure called `name` on the page."""
        figure = self.page.locator("dl > div").filter(has=self.page.locator("dt", has_text=re.compile(f"^{name}$")))
        return [minor(each) for each in figure.locator("dd:first-of-type").all_inner_texts()]

    def file(self, link: str) -> bytes:
        """What a link with this name leads to, for whoever is signed in here."""
        href = self.page.get_by_role("link", name=link, exact=True).first.get_attribute("href")
        answer = self.page.context.request.get(urljoin(self.page.url, href))
        assert answer.status == 200, f"{href}: {answer.status}"
        content: bytes = answer.body()
        return content

    def sign_in_as(self, role: str) -> None:
        """Through the Sample bar, as a visitor of a sample market may."""
        self.go("/")
        self.page.locator(f"button[formaction='/sample/{role}/']").click()
        self.page.wait_for_load_state("load")

    def look(self, station: str) -> None:
        """Keep a picture of the page in each look; none is wider than its screen."""
        state = self.page.context.storage_state()
        for look, (width, theme, language) in LOOKS.items():
            context = self.browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=theme, storage_state=state
            )
            cookies = {"theme": theme, "django_language": language}
            context.add_cookies(
                [{"name": key, "value": value, "url": self.market.url} for key, value in cookies.items()]
            )
            page = context.new_page()
            page.goto(self.page.url)
            tall = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": max(900, tall)})  # bars that stay in place end it once
            page.screenshot(path=self.pictures / f"{station}-{look}.png")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{station}, {look}"
            context.close()


def minor(text: str) -> int:
    """Minor units of an amount as pages show it, such as $1,234.56."""
    found = re.search(r"[−-]?\$([\d,]+)\.(\d\d)\b", text)
    assert found, f"{text!r} is no amount"
    return int(found[1].replace(",", "") + found[2]) * (-1 if text.strip()[0] in "−-" else 1)


def cents(figure: str) -> int:
    """Minor units of an amount as files have it, such as -1234.56; nothing is 0."""
    assert re.fullmatch(r"(-?\d+\.\d\d)?", figure), f"{figure!r} is no amount"
    return int(figure.replace(".", "") or 0)


@contextmanager
def a_browser() -> Iterator[Any]:
    """Chromium, or the test is skipped."""
    if not CHROMIUM.exists():
        pytest.skip("needs chromium of Debian")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def wake(market: Instance, task: str) -> None:
    """Have the market's own workers do now what its clock would have them do later."""
    Celery(broker=f"redis+socket://{market.folder.valkey_socket}").send_task(task, ignore_result=True)
