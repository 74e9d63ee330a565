"""Does a photo look like those a model was validated on? A mean cosine similarity to its nearest neighbours among them (Sun et al. 2022,
Out-of-Distribution Detection with Deep Nearest Neighbors, with cosine for their Euclidean distance of unit vectors).

N photos, M reference photos, D features of the backbone as they are. On the phantom every document and room was told from skin so (14
photos; AUROC 1.0); by features standardised or centred first, by Euclidean or Mahalanobis distance, far from all were (0.5 to 0.9).
"""

from dataclasses import dataclass, field

import numpy as np

UNFAMILIAR = "unfamiliar"
NEAREST = 20  # so many that a few photos of no skin among the reference do not make the next one familiar


@dataclass(frozen=True)
class Familiarity:
    """Without reference photos everything is familiar."""

    reference: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float16))  # [M, D], rows of unit length
    threshold: float = -1.0  # the least similarity that is familiar

    def similarity(self, features: np.ndarray) -> np.ndarray:
        """float32 [N], in -1..1; 1 without a reference. features: float [N, D]."""
        if not len(self.reference):
            return np.ones(len(features), np.float32)
        return nearest(unit(features) @ self.reference.astype(np.float32).T)

    def knows(self, features: np.ndarray) -> np.ndarray:
        """bool [N]."""
        return self.similarity(features) >= self.threshold


def nearest(similarity: np.ndarray, most: int = NEAREST) -> np.ndarray:
    """float [N]: the mean of the `most` largest of each row, of all where it has fewer. similarity: float [N, M]."""
    count = min(most, similarity.shape[1])
    return np.partition(similarity, -count, axis=1)[:, -count:].mean(axis=1)


def unit(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
