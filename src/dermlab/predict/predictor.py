"""A saved model and new photos: the same way from bytes to pixels as in training."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dermlab.model.questionnaire import encode_answers
from dermlab.model.runtime import set_up
from dermlab.model.saved import load_model
from dermlab.model.views import centre_view, decode
from dermlab.pull.develop import BrokenImageError, stored_jpeg
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.scores.familiarity import UNFAMILIAR

MAX_PIXELS = 100_000_000
BATCH = 64  # photos of OF_SIDE pixels; fewer of larger ones, so that a batch takes the same memory
OF_SIDE = 448
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # by which a stranger's words would command a terminal
FEW = 8  # photos that one core is through with before it could share them: the first wait of two threads for each other takes a second


@dataclass(frozen=True)
class Prediction:
    photo: str
    probs: dict[str, float]  # of every class, `other` included, the likeliest first; they sum to 1
    # answer, top-3 or abstain (scores/tiers.py), or unfamiliar (scores/familiarity.py), which a photo is that resembles none of those the
    # model was validated on
    tier: str
    error: str = ""  # why there is no prediction; then `probs` is empty
    # The classes among which the right one is with the chance that calibrate.coverage says, the likeliest first (scores/sets.py). Empty
    # where nothing of the kind is promised: validation had too few patients, or the photo is unfamiliar
    candidates: tuple[str, ...] = ()

    @property
    def top3(self) -> list[tuple[str, float]]:
        return list(self.probs.items())[:3]


class Predictor:
    """Raises ContractError where the folder holds no model that this version reads."""

    def __init__(self, folder: Path | str = paths.MODEL) -> None:
        self.folder = Path(folder)
        self.model = load_model(self.folder)
        self._runtime = set_up()
        self.model.module.to(self._runtime.device)

    @property
    def described(self) -> str:
        """Which model it is, in a line: backbone, side of what it sees, and variant, loss and seed where they are known."""
        said = {"variant": _variant(self.folder), **self.model.recipe}
        known = [f"{key} {UNSEEN.sub('', str(said[key]))}" for key in ("variant", "loss", "seed") if said.get(key) is not None]
        return ", ".join([f"{self.model.backbone} at {self.model.image_size} px", *known])

    def __call__(self, photos: Iterable[Path | str], answers: Mapping[str, Mapping[str, Any]] | None = None) -> Iterator[Prediction]:
        """One prediction a photo, in order. `answers`: photo -> question -> answer; a question that is not answered is left out. Raises
        ContractError for an answer that the questionnaire does not know; a photo that cannot be read is a prediction with an error."""
        ahead, at_once = iter(photos), max(1, min(BATCH, BATCH * OF_SIDE**2 // self.model.image_size**2))

        def read_ahead() -> list[tuple[str, Future[np.ndarray]]]:
            return [(str(name), readers.submit(self._read, str(name))) for name in islice(ahead, at_once)]

        # Pillow decodes outside Python's lock. Beside a GPU the next batch is read while this one is predicted; on a CPU the network needs
        # the cores itself, and its threads, which wait for each other at each layer, would wait for those that decode.
        overlapping = self._runtime.device.type != "cpu"
        with ThreadPoolExecutor(os.cpu_count()) as readers:
            batch = read_ahead()
            while batch:
                following = read_ahead() if overlapping else []
                yield from self._batch(batch, answers or {})
                batch = following or read_ahead()

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
        if not np.isfinite(logits).all():
            raise ContractError(f"{self.folder} answers with no numbers: its weights are damaged. Get it again, or train it anew.")
        probs, chosen = self.model.probabilities(logits), self.model.calibration
        names, tiers = np.array(self.model.classes.names, dtype=object), chosen.tiers.of(probs)
        tiers = np.where(chosen.familiarity.knows(features.cpu().numpy()), tiers, UNFAMILIAR)
        sets = chosen.sets.names(probs, self.model.classes.names) if chosen.sets else [()] * len(probs)
        predictions = []
        for photo, row, tier, candidates in zip(views, probs, tiers, sets, strict=True):
            order = np.argsort(-row, kind="stable")
            by_probability = {str(names[c]): float(row[c]) for c in order}
            predictions.append(Prediction(photo, by_probability, str(tier), candidates=() if tier == UNFAMILIAR else candidates))
        return predictions


def _variant(folder: Path) -> str | None:
    """From the head of the model card: what `train` trains on is a table, whose variant it does not know."""
    card = folder / paths.MODEL_CARD.name
    said = re.match(r"---\n(?:\w+: .*\n)*?variant: (.+)\n", card.read_text("utf-8", "replace")) if card.is_file() else None
    return said and said[1]


@contextmanager
def _threads_for(photos: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1 if photos <= FEW else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
