"""What people see and do in a real browser, on a real stack."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from selenium.webdriver.common.by import By
from tests.pages.browser import NARROW, WIDE, Browser, browsing
from tests.pages.conftest import HOSTILE, Office, event, remembered_health

from common.testing import wait_until

# Everything runs on one small machine, the browser included.
PATIENCE_SECONDS = 60
PAGES = [
    "/",
    "/accounts",
    "/account?id=acme",
    f"/account?id={quote('quiet/one', safe='')}",
    "/cases",
    "/rules",
    "/rule?name=complaints_rose",
    "/events",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_every_screen_and_the_console_stays_empty(browser: Browser, path: str) -> None:
    for size in (WIDE, NARROW):
        for dark in (False, True):
            browser.sized(size, dark=dark)
            browser.open(path)
            wait_until(
                lambda: browser.driver.find_elements(By.CSS_SELECTOR, "#live[data-state=live]"),
                PATIENCE_SECONDS,
                "the stream",
            )
            assert not browser.overflows(), (path, size)
    assert browser.complaints() == []
    assert {urlsplit(address).netloc for address in browser.requested() if address.startswith("http")} <= {
        urlsplit(browser.url).netloc
    }


@pytest.mark.parametrize("path", PAGES)
def test_every_field_has_a_label_and_every_table_its_headers(browser: Browser, path: str) -> None:
    browser.open(path)
    unnamed = browser.driver.execute_script(
        "return [...document.querySelectorAll('input,select,button')].filter((e) => !e.labels?.length && !e.ariaLabel && !e.textContent.trim()).map((e) => e.outerHTML)"
    )
    assert unnamed == []
    assert browser.driver.execute_script(
        "return [...document.querySelectorAll('table')].every((t) => t.querySelectorAll('th[scope=col]').length > 0)"
    )
    assert browser.driver.execute_script("return document.documentElement.lang") == "en"


def test_a_wrong_key_is_refused_in_words_and_a_right_one_opens_the_overview(office: Office) -> None:
    with browsing(office.url) as stranger:
        stranger.sized(WIDE)
        stranger.driver.get(office.url)
        wait_until(
            lambda: stranger.driver.current_url.endswith("/sign-in"), PATIENCE_SECONDS, "the sign-in page"
        )
        stranger.type("#key", "bw_read_nonsense")
        stranger.click("#sign-in button")
        wait_until(lambda: "not an API key" in stranger.text("#wrong"), PATIENCE_SECONDS, "the refusal")
        stranger.driver.find_element(By.ID, "key").clear()
        stranger.sign_in(office.keys["read"])
        assert stranger.driver.execute_script("return document.cookie") == ""
        stranger.open("/account?id=acme")
        stranger.click("#case-link")
        wait_until(lambda: stranger.texts("#why li"), PATIENCE_SECONDS, "the case")
        assert not stranger.driver.find_element(By.ID, "acknowledge").is_displayed()


def test_the_overview_shows_figures_with_their_freshness_and_who_is_at_risk(
    browser: Browser, office: Office
) -> None:
    browser.open("/")
    cards = browser.texts(".card")
    assert any("MRR" in card and "2,200" in card for card in cards), cards
    assert ":" in browser.text("#as-of")
    assert "Acme Ltd" in browser.text("#cases")
    riskiest = [one["name"] for one in office.ask("/v1/accounts?sort=renewal_risk")["data"]]
    assert browser.texts("#risk tbody a") == riskiest
    assert "%" in browser.text("#risk tbody tr:first-child")
    assert browser.driver.find_elements(By.CSS_SELECTOR, "#plot canvas")


def test_a_figure_moves_while_one_looks(browser: Browser, office: Office) -> None:
    browser.open("/")

    def shown() -> str:
        return next(card for card in browser.texts(".card") if card.startswith("Events"))

    before = shown()
    office.send(event("acme", "feature.used", datetime.now(UTC), feature="export", user="uma"))
    wait_until(lambda: shown() != before, PATIENCE_SECONDS, "the card to change")


def test_days_are_the_tenants_wherever_the_browser_is(browser: Browser, office: Office) -> None:
    """At any time at least one of the zones has another date than the tenant's, which is UTC."""
    today = datetime.now(UTC).date()
    asked = f"/v1/query?metrics=events&grain=total&from={today - timedelta(days=1)}&to={today}"
    yesterday = office.ask(asked)["data"][0]["value"]
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        browser.in_zone(zone)
        browser.open("/")
        events = next(card for card in browser.texts(".card") if card.startswith("Events"))
        assert f"today; {yesterday} yesterday" in events, zone


def test_an_event_is_seen_with_its_fate_as_it_comes(browser: Browser, office: Office) -> None:
    browser.open("/events")
    wait_until(
        lambda: browser.driver.find_elements(By.CSS_SELECTOR, "#live[data-state=live]"),
        PATIENCE_SECONDS,
        "the stream",
    )
    once = event("acme", "feature.used", datetime.now(UTC), feature="export", user="uma")
    office.send(once)
    wait_until(lambda: once["id"] in browser.text("#events"), PATIENCE_SECONDS, "the event")
    office.send(once)
    wait_until(
        lambda: "duplicate" in browser.text("#events tbody tr:first-child"), PATIENCE_SECONDS, "the duplicate"
    )
    browser.type("input[name=q]", once["id"])
    wait_until(lambda: len(browser.texts("#events tbody tr")) == 2, PATIENCE_SECONDS, "the search")


def test_accounts_are_searched_and_the_address_keeps_the_question(browser: Browser) -> None:
    browser.open("/accounts")
    browser.type("input[name=q]", "acme")
    wait_until(lambda: browser.text("#count") == "1 account", PATIENCE_SECONDS, "one account")
    assert "q=acme" in browser.driver.current_url
    browser.open("/accounts?q=nobody")
    assert browser.text("#count") == "No account matches"


def test_no_data_is_never_shown_as_health(browser: Browser, office: Office) -> None:
    bands = {band["name"] for band in office.ask("/v1/accounts/acme/health?days=0")["bands"]}
    shown: dict[str, str] = {}
    for account in ("blank", "acme"):
        browser.open(f"/accounts?q={account}")
        wait_until(lambda: browser.text("#count") == "1 account", PATIENCE_SECONDS, "one account")
        shown[account] = browser.text("#accounts tbody [data-label=Risk]")
    assert office.ask("/v1/accounts/blank")["figures"]["health"] is None
    assert shown["blank"].split() == ["–", "no", "health"]
    assert [band for band in bands if band in shown["acme"]], "what is known has its band"


def test_text_of_customers_is_never_markup(browser: Browser) -> None:
    for path in ("/accounts", f"/account?id={quote('quiet/one', safe='')}"):
        browser.open(path)
        wait_until(lambda: HOSTILE in browser.text("main"), PATIENCE_SECONDS, "the name as text")
        assert browser.driver.title != "taken"
        assert browser.driver.find_elements(By.CSS_SELECTOR, "main img") == []


def _queue(browser: Browser) -> list[str]:
    return browser.texts("#cases tbody a")


def test_a_case_leads_from_the_queue_to_its_end(browser: Browser, office: Office) -> None:
    browser.open("/cases")
    wait_until(lambda: "complaints" in browser.text("#cases tbody").lower(), PATIENCE_SECONDS, "the case")
    assert "€" in browser.text("#cases tbody tr:first-child")
    # Less money, by a nearer deadline. Its case is also the older one.
    assert _queue(browser) == [HOSTILE, "Acme Ltd"]
    office.silence("acme", datetime.now(UTC) + timedelta(hours=1), "They move offices")
    browser.open("/cases")
    wait_until(lambda: "They move offices" in browser.text("#rota"), PATIENCE_SECONDS, "the silence")
    browser.choose("#filters [name=sort]", "newest")
    wait_until(lambda: _queue(browser) == ["Acme Ltd", HOSTILE], PATIENCE_SECONDS, "the newest first")
    browser.open("/account?id=acme")
    wait_until(lambda: "complaints" in browser.text("#case").lower(), PATIENCE_SECONDS, "the case's words")
    browser.click("#case-link")
    wait_until(lambda: "complaints" in browser.text("#why").lower(), PATIENCE_SECONDS, "why it was opened")
    assert "Call today" in browser.text("#next-step")
    assert "not known yet" in browser.text("#why")
    wait_until(lambda: "uma" in browser.text("#people"), PATIENCE_SECONDS, "its people")
    assert not browser.overflows()
    browser.click("#acknowledge")
    wait_until(lambda: "has had it" in browser.text("#about"), PATIENCE_SECONDS, "the acknowledgement")
    browser.click("[data-opens=assign-form]")
    browser.type("#assign-form input", "bea")
    browser.click("#assign-form button")
    wait_until(lambda: "bea" in browser.text("#stakes"), PATIENCE_SECONDS, "who has it now")
    browser.click("[data-opens=comment-form]")
    browser.type("#comment-form input[name=text]", "Called Uma, she is on it")
    browser.click("#comment-form button")
    wait_until(lambda: "Called Uma" in browser.text("#log"), PATIENCE_SECONDS, "the comment")
    browser.click("[data-opens=outcome-form]")
    browser.choose("#outcome-form select[name=real]", "true")
    browser.type("#outcome-form input[name=comment]", "Fixed by release 5")
    browser.click("#outcome-form button")
    wait_until(lambda: "closed" in browser.text("#about"), PATIENCE_SECONDS, "the case to be closed")
    ended = office.ask("/v1/alerts?status=resolved")["data"][0]
    assert (ended["resolution"], ended["real"], ended["assignee"]) == ("saved", True, "bea")
    assert browser.complaints() == []


def test_a_rule_shows_its_record_and_is_replayed(browser: Browser) -> None:
    browser.open("/rules")
    wait_until(lambda: "not known yet" in browser.text("#rules"), PATIENCE_SECONDS, "the records")
    browser.open("/rule?name=complaints_rose")
    assert browser.text("#name") == "Complaints rose"
    browser.click("#replay button")
    wait_until(lambda: "over 3 accounts" in browser.text("#replay-words"), PATIENCE_SECONDS, "the replay")
    assert "acme" in browser.text("#warnings tbody")
    wait_until(lambda: "warning" in browser.text("#became"), PATIENCE_SECONDS, "what became of its warnings")
    assert browser.complaints() == []


def test_who_is_there_and_what_is_to_be_renewed(browser: Browser, office: Office) -> None:
    browser.open("/account?id=acme")
    wait_until(lambda: "uma" in browser.text("#people"), PATIENCE_SECONDS, "the people")
    assert "wes" in browser.text("#people")
    wait_until(lambda: browser.texts("#signals-on .plot canvas"), PATIENCE_SECONDS, "a plot of a signal")
    assert "Complaints" in browser.text("#signals-on")
    wait_until(lambda: browser.texts("#renewals tbody tr"), PATIENCE_SECONDS, "the renewal")
    (renewal,) = browser.texts("#renewals tbody tr")
    assert "10 points more double the odds" in browser.texts("#risk-reasons tbody tr")[-1]
    assert "€1,200" in renewal
    assert "% likely lost" in renewal
    assert "–" not in renewal, "when it is due and when notice must be given"
    wait_until(lambda: browser.texts("#plans .plan"), PATIENCE_SECONDS, "the plan")
    (plan,) = browser.texts("#plans .plan")
    assert "hours a report: 8 of 5, from 10" in plan
    assert (
        browser.driver.find_element(By.CSS_SELECTOR, "#plans .progress").get_attribute("aria-label")
        == "40% of the way"
    )
    happened = browser.texts("#timeline li")
    assert any("It is slow" in one for one in happened), happened


def test_an_account_says_how_healthy_it_is_why_and_what_people_think(
    browser: Browser, office: Office
) -> None:
    remembered_health(office, "acme", 80, 64)
    health = office.ask("/v1/accounts/acme/health")
    browser.open("/account?id=acme")
    wait_until(lambda: "of 100" in browser.text("#health-words"), PATIENCE_SECONDS, "the score")
    assert f"{health['score']:g}" in browser.text("#health-words")
    assert len(browser.texts("#health-inputs tbody tr")) == len(health["inputs"])
    assert [day["definitions"] > 0 for day in health["history"]] == [True, False, False]
    assert browser.texts("#health-plot canvas")
    assert f"version {health['history'][0]['definitions']} of the definitions from" in browser.text(
        "#health-marks"
    )
    browser.choose("#rating-form [name=band]", health["bands"][0]["name"])
    browser.type("#rating-form [name=comment]", "Their champion is leaving.")
    browser.click("#rating-form button")
    wait_until(
        lambda: "Their champion is leaving." in browser.text("#health-ratings"),
        PATIENCE_SECONDS,
        "the rating",
    )
    assert office.ask("/v1/accounts/acme/health")["ratings"][0]["band"] == health["bands"][0]["name"]
    browser.open("/accounts?sort=health")
    wait_until(lambda: browser.texts("#accounts tbody tr"), PATIENCE_SECONDS, "the list")


def test_a_chosen_theme_stays(browser: Browser) -> None:
    browser.open("/")
    browser.click("#theme")
    browser.open("/accounts")
    assert browser.driver.execute_script("return document.documentElement.dataset.theme") == "dark"
    assert (
        browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        != "rgb(250, 249, 246)"
    )


def test_the_api_reference_is_drawn_without_the_network(browser: Browser) -> None:
    browser.driver.get(f"{browser.url}/docs")
    drawn = "return document.querySelector('rapi-doc').shadowRoot?.textContent.includes('List accounts')"
    wait_until(lambda: browser.driver.execute_script(drawn), PATIENCE_SECONDS, "the reference")
    assert browser.complaints() == []
    assert {urlsplit(address).netloc for address in browser.requested() if address.startswith("http")} <= {
        urlsplit(browser.url).netloc
    }
