"""`python -m alerts` and the command `alerts`."""

import sys

from alerts.app import run


def main() -> None:
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
