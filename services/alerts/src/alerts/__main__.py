"""`python -m alerts` and the command `alerts`."""

import sys
from collections.abc import Sequence

from alerts.app import run
from common.program import CHECK_CONFIG, asked


def main(arguments: Sequence[str] | None = None) -> None:
    """Exits with 2 when a setting or an argument is wrong."""
    given = asked("alerts", "Judges accounts by rules, keeps cases and delivers warnings.", arguments)
    sys.exit(run(only_check=CHECK_CONFIG in given))


if __name__ == "__main__":
    main()
