"""Where the kinds of receivers are reached when nobody says otherwise."""

SLACK_URL = "https://slack.com"
PAGERDUTY_URL = "https://events.pagerduty.com"

DEFAULT_URLS = {"slack": SLACK_URL, "pagerduty": PAGERDUTY_URL}
