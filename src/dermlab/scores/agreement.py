"""How far raters agree. U units (photos or cases), C labels; a unit is labelled by as many raters as there are."""

import numpy as np


def alpha_sums(counts: np.ndarray) -> np.ndarray:
    """float [U, C + 1]: what each unit adds to the sums that `alpha` takes. counts: [U, C], how many raters gave each label; a unit of one
    rater adds nothing, for nobody can agree with nobody."""
    counts = counts.astype(float)
    raters = counts.sum(axis=1)
    counts = np.where((raters > 1)[:, None], counts, 0.0)
    agreeing = (counts * (counts - 1)).sum(axis=1) / np.maximum(raters - 1, 1)
    return np.concatenate([counts, agreeing[:, None]], axis=1)


def alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha for nominal labels, 1 - D_o / D_e (2011, Computing Krippendorff's alpha-reliability): [...] of sums [..., C + 1]
    over the units. 1 where all agree, 0 where they agree as chance would have it; NaN where all labels are one, or there are none."""
    each, agreeing = sums[..., :-1], sums[..., -1]
    total = each.sum(-1)
    expected = total * (total - 1) - (each * (each - 1)).sum(-1)
    return np.where(expected > 0, 1 - (total - 1) * (total - agreeing) / np.where(expected > 0, expected, 1), np.nan)
