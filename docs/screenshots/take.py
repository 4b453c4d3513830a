"""Take the screenshots of the dashboard from a running stack: `python docs/screenshots/take.py --url http://127.0.0.1:8080 --key KEY`.

Any stack with data will do; those in the repository show the demo story.
"""

# ruff: noqa: INP001
import argparse
import sys
from pathlib import Path

import httpx

HERE = Path(__file__).parent
FULLY_SHOWN = ("overview", "account")
sys.path.insert(0, str(HERE.parents[1]))

from tests.pages.browser import NARROW, WIDE, Browser, browsing  # noqa: E402

from common.testing import wait_until  # noqa: E402


def main() -> None:
    """Sign in and take every page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key", required=True)
    parser.add_argument("--into", type=Path, default=HERE)
    options = parser.parse_args()
    with browsing(options.url) as browser:
        browser.sized(WIDE)
        browser.open("/sign-in")
        browser.picture(options.into / "sign-in.png")
        browser.sign_in(options.key)
        for name, path in pages(options.url, options.key).items():
            take(browser, name, path, options.into)


def pages(url: str, key: str) -> dict[str, str]:
    """The pages worth a picture; the account is the one most at risk."""
    answer = httpx.get(
        f"{url}/v1/accounts",
        params={"sort": "risk", "limit": 1},
        headers={"Authorization": f"Bearer {key}"},
        trust_env=False,
    )
    account = answer.raise_for_status().json()["data"][0]["id"]
    return {
        "overview": "/",
        "accounts": "/accounts",
        "account": f"/account?id={account}",
        "cases": "/cases",
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
