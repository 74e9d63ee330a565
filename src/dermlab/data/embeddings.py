"""The frozen backbone's features of every image pulled: float16 [N, D] plus ids, and how they were made."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.json_files import read_json, write_json
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import atomic_path


@dataclass(frozen=True)
class EmbeddingInfo:
    """How the features were made; train and evaluate prepare images the same way."""

    backbone: str
    features: int
    image_size: int  # pixels of the square
    # digest of the backbone's weights, so that a head is never trained on features of one network and used on those of another
    weights: str


@dataclass(frozen=True)
class Embeddings:
    image_ids: np.ndarray
    features: np.ndarray  # float16 [N, D], row i belongs to `image_ids[i]`; ids are sorted
    info: EmbeddingInfo

    def of(self, image_ids: pd.Series | np.ndarray) -> np.ndarray:
        """float16 [len(image_ids), D] in the order asked for. Raises ContractError for an unknown id."""
        rows = pd.Index(self.image_ids).get_indexer(pd.Index(image_ids))
        if (rows < 0).any():
            raise ContractError(
                f"{paths.EMBEDDINGS} has no features of {int((rows < 0).sum())} images of the table. Run `dvc repro embed`."
            )
        return self.features[rows]


def write_embeddings(embeddings: Embeddings, folder: Path = paths.EMBEDDINGS) -> None:
    with atomic_path(folder) as unfinished:
        unfinished.mkdir()
        np.save(unfinished / "features.npy", embeddings.features.astype(np.float16), allow_pickle=False)
        np.save(unfinished / "image_ids.npy", embeddings.image_ids.astype(str), allow_pickle=False)
        write_json(unfinished / "info.json", asdict(embeddings.info))


def read_embeddings(folder: Path = paths.EMBEDDINGS) -> Embeddings:
    """Memory-mapped. Raises ContractError where a file is missing, truncated or of the wrong shape."""
    folder = Path(folder)
    try:
        return read_embeddings_of(folder / "info.json", folder / "features.npy", folder / "image_ids.npy")
    except ContractError as error:
        raise ContractError(f"{error} Restore it: `dvc checkout {folder}`.") from error


def read_embeddings_of(info: Path, features: Path, image_ids: Path) -> Embeddings:
    """From its three files, wherever they lie: DVC's cache has them under other names."""
    said = EmbeddingInfo(**read_json(info))
    try:
        matrix = np.load(features, mmap_mode="r", allow_pickle=False)
        ids = np.load(image_ids, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ContractError(f"{features} or {image_ids} is missing or truncated ({error}).") from error
    if matrix.shape != (len(ids), said.features):
        raise ContractError(f"{features}: features are {matrix.shape}, but there are {len(ids)} ids and D={said.features}.")
    return Embeddings(ids, matrix, said)
