"""`python -m alerts` and the command `alerts`."""

import sys
from collections.abc import Sequence

from alerts.app import REPLAY_PASTS, replay, run
from common.program import CHECK_CONFIG, asked


def main(arguments: Sequence[str] | None = None) -> None:
    """Exits with 2 when a setting or an argument is wrong."""
    also = {REPLAY_PASTS: "replay rules over the time before they watched, where that is due, and end"}
    given = asked("alerts", "Judges accounts by rules, keeps cases and delivers warnings.", arguments, also)
    sys.exit(replay() if REPLAY_PASTS in given else run(only_check=CHECK_CONFIG in given))


if __name__ == "__main__":
    main()
