"""How unlike a photo of skin an image is: its distance from the bulk of all images, robustly measured.

A neighbour's distance does not tell: scanned documents are each other's near neighbours. The distance from the bulk does.
"""

import numpy as np

COMPONENTS = 128
KEPT = 0.9  # the share of rows nearest to the centre that the covariance is estimated on
STEPS = 3


def not_skin_score(features: np.ndarray) -> np.ndarray:
    """float32 [N] in 0..1 from features [N, D]; 0.5 where the distance lies three robust deviations above the median.

    Mahalanobis distance in the first COMPONENTS principal components of the features scaled to length 1, with mean and covariance
    of the nearest KEPT of the rows, estimated again in STEPS steps (the concentration step of FAST-MCD, Rousseeuw & Van Driessen
    1999), so that the garbage looked for does not stretch the measure. The first step starts from each component's median and
    median absolute deviation: by a plain covariance, a cluster that is the share e of all rows lies at most sqrt(1 / e) away,
    however far off it is. Score: logistic(z - 3), z = (d - median) / (1.4826 MAD).
    """
    x = np.asarray(features, dtype=np.float32)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    x = x - x.mean(axis=0)
    _, vectors = np.linalg.eigh((x.T @ x).astype(np.float64))
    x = x @ vectors[:, ::-1][:, : min(COMPONENTS, max(1, len(x) // 10))].astype(np.float32)
    middle = np.median(x, axis=0)
    spread = 1.4826 * np.median(np.abs(x - middle), axis=0)
    distance = np.linalg.norm((x - middle) / np.maximum(spread, 1e-9), axis=1)
    for _ in range(STEPS):
        distance = _mahalanobis(x, distance <= np.quantile(distance, KEPT))
    median = np.median(distance)
    deviation = 1.4826 * np.median(np.abs(distance - median))
    z = (distance - median) / max(float(deviation), 1e-9)
    return (1 / (1 + np.exp(np.clip(3 - z, -60, 60)))).astype(np.float32)


def _mahalanobis(x: np.ndarray, bulk: np.ndarray) -> np.ndarray:
    """float64 [N]: distance of each row of `x` [N, C] from the mean of the rows in `bulk`, by their covariance."""
    centred = x.astype(np.float64) - x[bulk].mean(axis=0, dtype=np.float64)
    covariance = centred[bulk].T @ centred[bulk] / max(int(bulk.sum()), 1)
    covariance[np.diag_indices_from(covariance)] += 1e-6 * np.trace(covariance) / len(covariance) + 1e-12
    factor = np.linalg.cholesky(np.linalg.inv(covariance))
    return np.linalg.norm(centred @ factor, axis=1)
