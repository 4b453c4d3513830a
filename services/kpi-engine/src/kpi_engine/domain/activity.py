"""From newly seen days to changes of daily and rolling counts."""

import numpy as np
import numpy.typing as npt

from kpi_engine.domain.cells import Cells
from kpi_engine.domain.coverage import NewDays, deltas_of

Int64s = npt.NDArray[np.int64]


def window_name(measure: str, window_days: int) -> str:
    return f"{measure}_{window_days}d"


def add_new_days(
    cells: Cells, accounts: Int64s, new: NewDays, measure_id: int, windows: dict[int, int], sign: int = 1
) -> None:
    """`accounts[i]` owns row i of `new`. `windows`: days -> id of the rolling measure. `sign` -1 takes them away."""
    cells.add(measure_id, accounts, new.days, np.full(len(new.days), sign, np.int64))
    for window_days, rolling_id in windows.items():
        deltas = deltas_of(new, window_days)
        cells.add(rolling_id, accounts[deltas.rows], deltas.days, sign * deltas.changes)
