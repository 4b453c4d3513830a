"""`ingest`: serve until told to end; `--check-config` validates the settings and ends."""

import sys

from ingest.app import check_config, run


def main() -> None:
    if "--check-config" in sys.argv[1:]:
        sys.exit(check_config())
    sys.exit(run())


if __name__ == "__main__":
    main()
