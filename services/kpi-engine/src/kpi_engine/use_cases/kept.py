"""What can still be corrected: only days of which every raw event is kept."""

from datetime import datetime

from common.contracts.instants import AHEAD
from common.errors import Rejected
from kpi_engine.domain.buckets import LocalTime, instant


def check_kept(local: LocalTime, kept_from: datetime, event_at_us: int) -> None:
    """Raise Rejected for events of days of which raw events may have been dropped by retention.

    What was dropped arrived before `kept_from`, and happened before that and a little: later days are whole.
    """
    day = local.day_at(instant(event_at_us))
    if local.start_of(day) < kept_from + AHEAD:
        raise Rejected(
            "raw-events-dropped",
            f"raw events that arrived before {kept_from.isoformat()} are no longer kept, so the figures of {day} can't be corrected",
        )
