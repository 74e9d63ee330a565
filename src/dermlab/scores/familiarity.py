"""Does a photo look like those a model was validated on? A mean cosine similarity to its nearest neighbours among them (Sun et al. 2022,
Out-of-Distribution Detection with Deep Nearest Neighbors, with cosine for their Euclidean distance of unit vectors).

N photos, M reference photos, D features of the backbone as they are. On the phantom every document and room was told from skin so (14
photos; AUROC 1.0); by features standardised or centred first, by Euclidean or Mahalanobis distance, far from all were (0.5 to 0.9).
"""

from dataclasses import dataclass

import numpy as np

UNFAMILIAR = "unfamiliar"
NEAREST = 20  # so many that a few photos of no skin among the reference do not make the next one familiar
REFUSED = 0.01  # share of the validation photos that would be refused
MOST = 2_000  # reference photos kept
LEAST = 30  # validation photos, for that share to mean anything


@dataclass(frozen=True)
class Familiarity:
    """`reference`: float16 [M, D], rows of unit length; `threshold`: the least similarity that is familiar. Without reference photos
    everything is."""

    reference: np.ndarray
    threshold: float = -1.0

    def similarity(self, features: np.ndarray) -> np.ndarray:
        """float32 [N], in -1..1; 1 without a reference. features: float [N, D]."""
        if not len(self.reference):
            return np.ones(len(features), np.float32)
        return _nearest(_unit(features) @ self.reference.astype(np.float32).T)

    def knows(self, features: np.ndarray) -> np.ndarray:
        """bool [N]."""
        return self.similarity(features) >= self.threshold


def nobody() -> Familiarity:
    return Familiarity(np.zeros((0, 0), np.float16))


def choose_familiarity(features: np.ndarray, patients: np.ndarray, seed: int) -> Familiarity:
    """From the validation photos: `features` float [N, D], `patients` [N]. Neighbours of the threshold are of other patients, for nobody
    who sends a new photo is among the reference."""
    kept = np.sort(np.random.default_rng(seed).permutation(len(features))[:MOST])
    rows, people = _unit(features[kept]).astype(np.float16), patients[kept]
    if len(rows) < LEAST:
        return nobody()
    similarity = rows.astype(np.float32) @ rows.astype(np.float32).T
    similarity[people[:, None] == people[None, :]] = -1.0
    return Familiarity(rows, float(np.quantile(_nearest(similarity), REFUSED)))


def _nearest(similarity: np.ndarray) -> np.ndarray:
    """Mean of the NEAREST largest of each row."""
    count = min(NEAREST, similarity.shape[1])
    return np.partition(similarity, -count, axis=1)[:, -count:].mean(axis=1)


def _unit(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
