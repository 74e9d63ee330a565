"""What training reads, joined and checked: the manifest says which rows, the catalog where they lie and what was answered."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes, read_classes
from dermlab.data.embeddings import Embeddings, read_embeddings
from dermlab.data.questionnaire import Questionnaire, chosen, read_questionnaire
from dermlab.data.rows import read_rows
from dermlab.data.shards import Shards
from dermlab.data.shares import matrix
from dermlab.data.tables import MANIFEST, read_table
from dermlab.model.questionnaire import encode, standardised
from dermlab.run import paths
from dermlab.run.errors import ContractError, ParamsError
from dermlab.run.files import sha256_file
from dermlab.train.params import Params


@dataclass(frozen=True)
class Rows:
    """N rows of one split."""

    table: pd.DataFrame  # image_id, shard, row
    labels: np.ndarray  # int64 [N]
    weights: np.ndarray  # float32 [N]
    answers: np.ndarray  # float32 [N, Q]
    features: np.ndarray  # float16 [N, D] of the frozen backbone
    targets: np.ndarray  # float32 [N, K+1], rows sum to 1: what each row is trained towards

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Inputs:
    train: Rows
    val: Rows
    classes: Classes
    questions: Questionnaire
    shards: Shards
    image_size: int
    counts: np.ndarray  # float64 [K+1], the training rows of each class as they are drawn (`drawn_counts`)
    digests: dict[str, str]  # sha256 of what was read
    weights: str  # digest of the backbone that made the features
    stored_side: int  # pixels of the shorter side of a stored photo that had to be shrunk
    loaders: int = 0  # processes that decode; they change no number


def read_inputs(
    params: Params,
    source: Path = paths.SOURCE,
    catalog: Path = paths.CATALOG,
    images: Path = paths.IMAGES,
    shards: Path = paths.SHARDS,
    embeddings: Path = paths.EMBEDDINGS,
    manifest: Path = paths.MANIFEST,
    loaders: int = 0,
) -> Inputs:
    """Raises ContractError or ParamsError where the files do not fit each other or the params."""
    source = Path(source)
    classes = read_classes(source / "classes.json")
    questions = chosen(read_questionnaire(source / "questionnaire.json"), params.train.questions)
    cached = read_embeddings(embeddings)
    if cached.info.backbone != params.backbone:
        raise ContractError(f"{embeddings} was made by {cached.info.backbone}, not {params.backbone}. Run `dvc repro embed`.")
    used, known = read_table(manifest, MANIFEST), read_rows(catalog, images)
    rows = used.merge(known.drop(columns=["label", "split", "labels"], errors="ignore"), on="image_id", how="left", validate="one_to_one")
    if rows["shard"].isna().any():
        stray = rows.loc[rows["shard"].isna(), "image_id"].iat[0]
        raise ContractError(f"{manifest} names the image {stray!r}, which {catalog} or {images} does not have. Run `dvc repro manifest`.")
    questions = standardised(questions, rows[rows["split"] == "train"])
    sides = {split: _rows(rows[rows["split"] == split], classes, questions, cached, manifest) for split in ("train", "val")}
    train, val = sides["train"], sides["val"]
    if len(train) < params.train.batch_size or not len(val):
        raise ParamsError(
            f"{manifest} has {len(train)} training and {len(val)} validation rows; training needs one whole batch "
            f"(train.batch_size is {params.train.batch_size}) and one validation row. Pull more images or lower the batch size."
        )
    counts = drawn_counts(train.targets, train.weights)
    read = [source / "classes.json", source / "questionnaire.json", catalog, images, manifest]
    read += [Path(embeddings) / "features.npy", Path(embeddings) / "image_ids.npy", Path(embeddings) / "info.json"]
    digests = {Path(path).name: sha256_file(path) for path in read}
    stored_side = int(known[["width", "height"]].min(axis=1).max())  # smaller ones were smaller at the source
    return Inputs(
        train, val, classes, questions, Shards(shards), cached.info.image_size, counts, digests, cached.info.weights, stored_side, loaders
    )


def drawn_counts(targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [K+1]: the rows of each class that an epoch draws on average, N in all. targets: [N, K+1]; weights: [N], of the draw.

    Losses that put the prior in must put in the one that training sees: `rebalanced`, `softened` and `distributed` have changed it already.
    """
    drawn = weights.astype(np.float64)
    return (drawn * (len(drawn) / drawn.sum())) @ targets


def prior_of(counts: np.ndarray) -> np.ndarray:
    """float64 [K+1], sums to 1; a class without a row counts as one row, as for the losses."""
    least = np.maximum(counts, 1)
    return least / least.sum()


def _rows(rows: pd.DataFrame, classes: Classes, questions: Questionnaire, cached: Embeddings, manifest: Path) -> Rows:
    rows = rows.reset_index(drop=True)
    weights = rows["weight"].to_numpy(np.float32)
    if len(rows) and not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ContractError(f"{manifest}, column weight: draw weights must be finite, none negative and not all zero.")
    return Rows(
        rows[["image_id", "patient_id", "shard", "row"]].astype({"shard": int, "row": int}),
        classes.encode(rows["label"], f"{manifest}, column label"),
        weights,
        encode(rows, questions),
        cached.of(rows["image_id"]),
        matrix(rows["label"], rows["labels"], classes, f"{manifest}, column labels"),
    )
