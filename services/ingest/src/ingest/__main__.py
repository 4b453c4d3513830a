"""`ingest`: serve until told to end; `--check-config` validates the settings and ends."""

import sys
from collections.abc import Sequence

from common.program import CHECK_CONFIG, asked, leave
from ingest.app import check_config, run


def main(arguments: Sequence[str] | None = None) -> None:
    """Exits with 2 when a setting or an argument is wrong."""
    given = asked("ingest", "Takes events in by HTTP and writes them to Kafka.", arguments)
    wrong = check_config()
    if wrong or CHECK_CONFIG in given:
        sys.exit(wrong)
    leave(run())


if __name__ == "__main__":
    main()
