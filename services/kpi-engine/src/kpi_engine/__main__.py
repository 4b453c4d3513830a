"""Start the KPI engine, check its settings with `--check-config`, or train what is due with `--train-risk`."""

import sys
from collections.abc import Sequence

from pydantic import ValidationError

from common.environment import tell_wrong
from kpi_engine.app import run, train
from kpi_engine.settings import Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the engine; exit status 2 when a setting is wrong."""
    asked = sys.argv[1:] if arguments is None else arguments
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(tell_wrong("kpi-engine", error, Settings))
    if "--check-config" in asked:
        return
    sys.exit(train(settings) if "--train-risk" in asked else run(settings))


if __name__ == "__main__":
    main()
