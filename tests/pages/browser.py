"""A real browser without a window: Debian's Chromium, driven by selenium."""

import base64
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from common.testing import wait_until

# Without these Chromium talks to hosts that a closed network refuses.
_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
WIDE, NARROW = (1280, 900), (360, 740)


class Browser:
    """What a person does with the dashboard, and what the console says meanwhile."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver, self.url = driver, url

    def sized(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """Be a screen of this size that prefers light or dark."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def in_zone(self, name: str) -> None:
        """Be where clocks show this zone's time."""
        self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": name})

    def sign_in(self, key: str) -> None:
        self.open("/sign-in")
        self.driver.find_element(By.ID, "key").send_keys(key)
        self.driver.find_element(By.CSS_SELECTOR, "#sign-in button").click()
        wait_until(lambda: "/sign-in" not in self.driver.current_url, 60, "the overview after signing in")

    def open(self, path: str) -> None:
        """Open a page and wait until it has been filled."""
        self.driver.get(self.url + path)
        wait_until(
            lambda: not self.driver.find_elements(By.CSS_SELECTOR, "[aria-busy]"), 60, f"{path} to be filled"
        )

    def text(self, selector: str) -> str:
        """What a person reads there; the page must have such a place."""
        return self.texts(selector)[0]

    def texts(self, selector: str) -> list[str]:
        """What a person reads in every such place, in one look: pages change while one reads."""
        found = self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", selector
        )
        return [str(text) for text in found]

    def click(self, selector: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def type(self, selector: str, text: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).send_keys(text)

    def choose(self, selector: str, value: str) -> None:
        Select(self.driver.find_element(By.CSS_SELECTOR, selector)).select_by_value(value)

    def overflows(self) -> bool:
        """Whether the page is wider than the screen."""
        return bool(
            self.driver.execute_script(
                "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
            )
        )

    def complaints(self) -> list[str]:
        """Errors and warnings in the console since the last time this was asked, violations of the policy included."""
        return [entry["message"] for entry in self._log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requested(self) -> set[str]:
        """Addresses asked for since the last time."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return {
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        }

    def _log(self, kind: str) -> list[dict[str, str]]:
        return list(self.driver.get_log(kind))  # type: ignore[no-untyped-call]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save what is shown as PNG; `whole`: all of the page instead of one screen."""
        shot = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot",
            {"captureBeyondViewport": whole, **({"clip": self._page()} if whole else {})},
        )
        path.write_bytes(base64.b64decode(shot["data"]))

    def _page(self) -> dict[str, float]:
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 2_600), "scale": 1}


@contextmanager
def browsing(url: str) -> Iterator[Browser]:
    """Start a browser with an empty profile."""
    profile = Path(tempfile.mkdtemp(prefix="bellwether-browser-"))
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    for argument in (*_QUIET, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver") or "chromedriver"))
    try:
        yield Browser(driver, url)
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)
