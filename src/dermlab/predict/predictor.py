"""A saved model and new photos: the same way from bytes to pixels as in training."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dermlab.data.questionnaire import Question
from dermlab.model.questionnaire import encode_answers
from dermlab.model.runtime import set_up
from dermlab.model.saved import load_model
from dermlab.model.views import centre_view, decode
from dermlab.pull.develop import BrokenImageError, stored_jpeg
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import PHOTOS, is_photo
from dermlab.scores.familiarity import UNFAMILIAR

MAX_PIXELS = 100_000_000
BATCH = 64
FEW = 8  # photos that one core is through with before it could share them: the first wait of two threads for each other takes a second


@dataclass(frozen=True)
class Prediction:
    """`probs`: of every class, `other` included, the likeliest first; they sum to 1. `tier`: answer, top-3 or abstain (scores/tiers.py), or
    unfamiliar (scores/familiarity.py), which a photo is that resembles none of those the model was validated on. `error`: why there is no
    prediction; then `probs` is empty."""

    photo: str
    probs: dict[str, float]
    tier: str
    error: str = ""

    @property
    def top3(self) -> list[tuple[str, float]]:
        return list(self.probs.items())[:3]


class Predictor:
    """Raises ContractError where the folder holds no model that this version reads."""

    def __init__(self, folder: Path | str = paths.MODEL) -> None:
        self.model = load_model(Path(folder))
        self._runtime = set_up()
        self.model.module.to(self._runtime.device)

    def __call__(self, photos: Iterable[Path | str], answers: Mapping[str, Mapping[str, Any]] | None = None) -> Iterator[Prediction]:
        """One prediction a photo, in order. `answers`: photo -> question -> answer; a question that is not answered is left out. Raises
        ContractError for an answer that the questionnaire does not know; a photo that cannot be read is a prediction with an error."""
        ahead = iter(photos)

        def read_ahead() -> list[tuple[str, Future[np.ndarray]]]:
            return [(str(name), readers.submit(self._read, str(name))) for name in islice(ahead, BATCH)]

        with ThreadPoolExecutor() as readers:  # Pillow decodes outside Python's lock
            batch = read_ahead()
            while batch:
                following = read_ahead()  # is read while this one is predicted
                yield from self._batch(batch, answers or {})
                batch = following

    def _read(self, name: str) -> np.ndarray:
        return self.view(Path(name).read_bytes())

    def _batch(self, batch: list[tuple[str, Future[np.ndarray]]], answers: Mapping[str, Mapping[str, Any]]) -> Iterator[Prediction]:
        names = [name for name, _ in batch]
        views: dict[str, np.ndarray] = {}
        errors: dict[str, str] = {}
        for name, read in batch:
            try:
                views[name] = read.result()
            except (BrokenImageError, OSError) as error:
                errors[name] = str(error)
        found = dict(zip(views, self._predict(views, answers), strict=True)) if views else {}
        for name in names:
            yield found.get(name) or Prediction(name, {}, "", errors[name])

    def view(self, data: bytes) -> np.ndarray:
        """uint8 [S, S, 3]: what the network sees of a file's bytes, the same as of a photo that `pull` stored. Raises BrokenImageError."""
        return centre_view(decode(stored_jpeg(data, self.model.stored_side, MAX_PIXELS), self.model.image_size), self.model.image_size)

    def _predict(self, views: Mapping[str, np.ndarray], answers: Mapping[str, Mapping[str, Any]]) -> list[Prediction]:
        given = {q.column: [answers.get(name, {}).get(q.name) for name in views] for q in self.model.questions}
        encoded = torch.from_numpy(encode_answers(given, len(views), self.model.questions)).to(self._runtime.device)
        images = torch.from_numpy(np.stack(list(views.values()))).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), self._runtime.autocast(training=False), _threads_for(len(views)):
            features = self.model.module.backbone(images.to(self._runtime.device)).float()
            logits = self.model.module.head(features, encoded).float().cpu().numpy()
        probs, chosen = self.model.probabilities(logits), self.model.calibration
        names, tiers = np.array(self.model.classes.names, dtype=object), chosen.tiers.of(probs)
        tiers = np.where(chosen.familiarity.knows(features.cpu().numpy()), tiers, UNFAMILIAR)
        predictions = []
        for photo, row, tier in zip(views, probs, tiers, strict=True):
            order = np.argsort(-row, kind="stable")
            predictions.append(Prediction(photo, {str(names[c]): float(row[c]) for c in order}, str(tier)))
        return predictions


@contextmanager
def _threads_for(photos: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1 if photos <= FEW else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def photos_in(path: Path) -> list[Path]:
    """A photo, or the photos below a folder, sorted. Raises SourceError where there are none."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".") and is_photo(file.name))
    if not found:
        raise SourceError(f"{path} is no photo and holds none ({', '.join(PHOTOS)}).")
    return found


def read_answers(path: Path, questions: tuple[Question, ...]) -> dict[str, dict[str, Any]]:
    """photo -> question -> answer, of a CSV with a column `image` and one a question (`age_group` or `q_age_group`; several answers of
    one question are joined by |). Raises SourceError for a column that is neither."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as CSV: {error}") from error
    columns = [name.strip().removeprefix("q_") for name in header]
    if uneven := [number for number, row in enumerate(rows, 2) if len(row) != len(columns)]:
        raise SourceError(f"{path}: line {uneven[0]} has not as many fields as the first, which names {len(columns)} columns.")
    known = {question.name: question for question in questions}
    if unknown := [name for name in columns if name not in ("image", *known)]:
        raise SourceError(f"{path}: column {unknown[0]!r} is no question of this model. It asks: {', '.join(known) or 'nothing'}.")
    if "image" not in columns:
        raise SourceError(f"{path} needs a column `image`: the photo's path, or its file name.")
    table = [dict(zip(columns, row, strict=True)) for row in rows]
    return {
        row["image"]: {name: _answer(known[name], value) for name, value in row.items() if name != "image" and value.strip()}
        for row in table
    }


def _answer(question: Question, value: str) -> Any:
    return tuple(part.strip() for part in value.split("|")) if question.kind == "multi" else value.strip()
