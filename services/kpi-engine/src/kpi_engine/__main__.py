"""Start the KPI engine, check its settings with `--check-config`, or train what is due with `--train-risk`."""

import sys
from collections.abc import Sequence

from pydantic import ValidationError

from common.environment import tell_wrong
from common.program import CHECK_CONFIG, asked
from kpi_engine.app import run, train
from kpi_engine.settings import Settings

_TRAIN = "--train-risk"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the engine; exit status 2 when a setting or an argument is wrong."""
    training = {_TRAIN: "train renewal risk where it is due, and end"}
    given = asked("kpi-engine", "Counts events into figures, accounts and signals.", arguments, training)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(tell_wrong("kpi-engine", error, Settings))
    if CHECK_CONFIG in given:
        return
    sys.exit(train(settings) if _TRAIN in given else run(settings))


if __name__ == "__main__":
    main()
