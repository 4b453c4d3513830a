"""Start the KPI engine, check its settings with `--check-config`, or train what is due with `--train-risk`."""

import sys

from pydantic import ValidationError

from kpi_engine.app import run, train
from kpi_engine.settings import Settings


def main() -> None:
    """Run the engine; exit status 2 when a setting is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(f"kpi-engine: settings: {error}")
    if "--check-config" in sys.argv[1:]:
        return
    sys.exit(train(settings) if "--train-risk" in sys.argv[1:] else run(settings))


if __name__ == "__main__":
    main()
