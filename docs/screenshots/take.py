"""Take the screenshots of the dashboard: `make screenshots`, from a demo story of its own that begins today and is gone afterwards.

With `--url` and `--key`, from a stack that runs; any with data will do.
"""

# ruff: noqa: INP001
import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
FULLY_SHOWN = ("overview", "account")
sys.path.insert(0, str(HERE.parents[1]))

from tests.pages.browser import NARROW, WIDE, Browser, browsing  # noqa: E402

from common.local.ports import free_ports  # noqa: E402
from common.testing import wait_until  # noqa: E402

# The whole history is loaded, and the live part has come to its first warning.
STORY_SECONDS = 600
END_SECONDS = 30


def main() -> None:
    """Sign in and take every page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of a gateway that runs; else a demo is started")
    parser.add_argument("--key", help="for --url, with scope act")
    parser.add_argument("--into", type=Path, default=HERE)
    options = parser.parse_args()
    given = nullcontext((options.url, options.key)) if options.url else demo()
    with given as (url, key), browsing(url) as browser:
        browser.sized(WIDE)
        browser.open("/sign-in")
        browser.picture(options.into / "sign-in.png")
        browser.sign_in(key)
        for name, path in pages(url, key).items():
            take(browser, name, path, options.into)


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Address and key of a demo whose loud customer has just been warned of."""
    directory = Path(tempfile.mkdtemp(prefix="bellwether-screenshots-"))
    command = [sys.executable, "-m", "bellwether", "demo", "--data-dir", str(directory / "data")]
    running = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--port-base", str(free_ports(1)[0] % 20_000 + 30_000)]
    )
    try:
        about = directory / "data" / "stack.json"
        wait_until(lambda: about.exists() or _ended(running), STORY_SECONDS, "the stack")
        stack = json.loads(about.read_text())
        url, key = stack["urls"]["gateway"], stack["keys"]["act"]
        wait_until(lambda: _warned(url, key) or _ended(running), STORY_SECONDS, "the first warning")
        yield url, key
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(END_SECONDS)
        shutil.rmtree(directory)


def _ended(running: "subprocess.Popen[bytes]") -> bool:
    if running.poll() is not None:
        raise RuntimeError("the demo has ended; what it said is above")
    return False


def _warned(url: str, key: str) -> bool:
    """Whether people were told of a case; a year that is loaded tells of none."""
    try:
        told = _get(url, key, "/v1/notifications")["data"]
    except httpx.HTTPError:
        return False
    return any(one["type"].startswith("case.") for one in told)


def _get(url: str, key: str, path: str, **parameters: str) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(f"{url}{path}", params=parameters, headers=headers, trust_env=False, timeout=30)
    return answer.raise_for_status().json()


def pages(url: str, key: str) -> dict[str, str]:
    """The pages worth a picture; the account is the one most at risk."""
    account = _get(url, key, "/v1/accounts", sort="risk", limit="1")["data"][0]["id"]
    first = _get(url, key, "/v1/alerts", sort="priority", limit="1")["data"][0]
    case, rule = first["id"], first["alerts"][0]["rule"]
    return {
        "overview": "/",
        "accounts": "/accounts",
        "account": f"/account?id={account}",
        "cases": "/cases",
        "case": f"/case?id={case}",
        "rule": f"/rule?name={rule}",
        "events": "/events",
    }


def take(browser: Browser, name: str, path: str, into: Path) -> None:
    """One page: two looks, and all four of the pages that people see first."""
    for size, words in ((WIDE, "wide"), (NARROW, "narrow")):
        for dark in (False, True):
            if name not in FULLY_SHOWN and dark == (size == WIDE):
                continue
            browser.sized(size, dark=dark)
            browser.open(path)
            wait_until(lambda: browser.texts("#live[data-state=live]"), 20, "the stream")
            browser.picture(into / f"{name}-{words}-{'dark' if dark else 'light'}.png")


if __name__ == "__main__":
    main()
