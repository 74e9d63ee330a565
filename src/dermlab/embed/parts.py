"""Features of some photos at a time, kept until the stage has ended: a killed embed goes on where it stopped."""

import hashlib
import shutil
from pathlib import Path

import numpy as np

from dermlab.data.embeddings import EmbeddingInfo
from dermlab.run import paths
from dermlab.run.code import code_digest
from dermlab.run.files import atomic_path


class Parts:
    """Under the digest of what makes features of photos: weights, size, code and the libraries that compute."""

    def __init__(self, info: EmbeddingInfo, checkpoints: Path = paths.CHECKPOINTS) -> None:
        code = code_digest(*Path(__file__).parent.glob("*.py"))
        made_by = hashlib.sha256(f"{info} {code}".encode()).hexdigest()[:16]
        self.folder = checkpoints / f"embed-{made_by}"

    def read(self, sha256: np.ndarray) -> np.ndarray | None:
        """float16 [n, D] of the photos of these digests, str [n], in this order. None where there are none, or none that can be read."""
        try:
            features = np.load(self._path(sha256), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return features if len(features) == len(sha256) else None

    def write(self, sha256: np.ndarray, features: np.ndarray) -> None:
        with atomic_path(self._path(sha256)) as unfinished:
            np.save(unfinished, features, allow_pickle=False)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, sha256: np.ndarray) -> Path:
        return self.folder / f"{hashlib.sha256(' '.join(sha256).encode()).hexdigest()[:16]}.npy"
