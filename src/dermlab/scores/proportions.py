"""A share of rows and its interval, where rows come in patients. P patients."""

import numpy as np
from scipy.special import stdtrit

from dermlab.scores.bootstrap import MIN_PATIENTS


def share_interval(hits: np.ndarray, rows: np.ndarray) -> tuple[float, float] | None:
    """95 %: Wilson's (1927) for as many independent rows as these are worth (Rao & Scott 1992; Student's t for their number of patients, as
    Korn & Graubard 1998). It does not shrink to a point where all rows are right, as a bootstrap does, which matters most for a
    sensitivity near 1. hits, rows: float [P], of each patient. None with fewer than MIN_PATIENTS that have a row."""
    has_rows = rows > 0
    hits, rows = hits[has_rows].astype(np.float64), rows[has_rows].astype(np.float64)
    patients, total = len(rows), rows.sum()
    if patients < MIN_PATIENTS:
        return None
    share = hits.sum() / total
    apart = share * (1 - share) / total  # its variance if rows were independent
    clustered = np.square(hits - share * rows).sum() / total**2 * patients / (patients - 1)
    worth = total / max(1.0, clustered / apart) if apart > 0 else float(patients)
    z2 = stdtrit(patients - 1, 0.975) ** 2
    middle = (share + z2 / (2 * worth)) / (1 + z2 / worth)
    half = np.sqrt(z2) * np.sqrt(share * (1 - share) / worth + z2 / (4 * worth**2)) / (1 + z2 / worth)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def mean_interval(sums: np.ndarray, rows: np.ndarray) -> tuple[float, float] | None:
    """95 %, Student's, of a mean over rows that is no share, such as a net benefit. sums, rows: float [P]. None as above."""
    has_rows = rows > 0
    sums, rows = sums[has_rows].astype(np.float64), rows[has_rows].astype(np.float64)
    if (patients := len(rows)) < MIN_PATIENTS:
        return None
    mean = sums.sum() / rows.sum()
    error = np.sqrt(np.square(sums - mean * rows).sum() * patients / (patients - 1)) / rows.sum()
    half = error * stdtrit(patients - 1, 0.975)
    return float(mean - half), float(mean + half)
