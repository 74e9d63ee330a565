"""Features of the last run, for photos that have not changed since."""

import numpy as np

from dermlab.data.embeddings import EmbeddingInfo, read_embeddings_of
from dermlab.data.tables import IMAGES, read_table
from dermlab.run import paths
from dermlab.run.last_run import LastRun

FILES = ("info.json", "features.npy", "image_ids.npy")


def earlier_features(sha256: np.ndarray, info: EmbeddingInfo, last: LastRun | None) -> tuple[np.ndarray, np.ndarray]:
    """(float16 [N, D], bool [N]: which rows of it are filled). sha256: str [N], of the stored photos; `info`: of the features wanted."""
    features, known = np.zeros((len(sha256), info.features), dtype=np.float16), np.zeros(len(sha256), dtype=bool)
    images = last and last.file(paths.IMAGES)
    parts = [last and last.file(paths.EMBEDDINGS / name) for name in FILES]
    if not images or not all(parts):
        return features, known
    before = read_embeddings_of(*parts)
    if before.info != info:
        return features, known
    digest = read_table(images, IMAGES).set_index("image_id")["sha256"].reindex(before.image_ids)
    row_of = {value: row for row, value in enumerate(digest)}  # copies share a digest, and their features
    where = np.array([row_of.get(value, -1) for value in sha256], dtype=np.int64)
    known = where >= 0
    features[known] = before.features[where[known]]
    return features, known
