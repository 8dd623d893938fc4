"""The blend forecast (energy.md, Forecast): what an hour of the day usually is, bent towards what the last hours were.

At origin o, y[o-1] is known; step h = 1, 2, … predicts y[o+h-1] = m + a·e^(-h/18). m is the mean of the seven latest
known values at that hour of the day; a is the mean over t = o-1 … o-3 of y[t] - mean(y[t-24d], d = 1 … 7).
"""

import numpy as np
import numpy.typing as npt

DAY = 24
DAYS = 7
FADE_HOURS = 18.0
LATEST = 3
NEEDED = DAY * DAYS + LATEST  # hours of history that a forecast rests on

Series = npt.NDArray[np.float64]


def blend(history: Series, hours: int) -> Series:
    """The next `hours` values after `history` ([n] hourly values, the last one just known).

    Raises ValueError with fewer than 171 hours of history.
    """
    if len(history) < NEEDED:
        raise ValueError(f"a forecast needs {NEEDED} hours of history, got {len(history)}")
    steps = np.arange(1, hours + 1)
    usual = _usual(history, hours)
    recent = [history[-k] - np.mean(history[-k - DAY * DAYS : -k : DAY]) for k in range(1, LATEST + 1)]
    return usual + float(np.mean(recent)) * np.exp(-steps / FADE_HOURS)


def _usual(history: Series, hours: int) -> Series:
    """m for each step: the mean of the seven latest known values at that hour of the day."""
    lastday = history[len(history) - DAY * DAYS :].reshape(DAYS, DAY).mean(axis=0)
    return np.resize(lastday, hours)


def interval(history: Series, hours: int, days: int = 60) -> tuple[Series, Series]:
    """(P10, P90) of the next `hours` values: the blend plus the empirical quantiles of its own residuals.

    Residuals are those at the same step, over six-hourly origins of the last `days` days, as far as they are known.
    Raises ValueError with less than `days` days and 171 hours of history.
    """
    n = len(history)
    if n < NEEDED + DAY * days:
        raise ValueError(f"an interval needs {NEEDED + DAY * days} hours of history, got {n}")
    residuals = np.full((days * 4, hours), np.nan)
    for row, origin in enumerate(range(n - days * DAY, n, 6)):
        known = min(hours, n - origin)
        residuals[row, :known] = history[origin : origin + known] - blend(history[:origin], known)
    middle = blend(history, hours)
    low, high = np.nanquantile(residuals, (0.1, 0.9), axis=0)
    return middle + low, middle + high
