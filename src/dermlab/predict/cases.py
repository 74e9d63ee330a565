"""One answer for the photos of a case, what each of them says beside it, and which say something else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dermlab.model.saved import TrainedModel
from dermlab.predict.predictor import Prediction
from dermlab.scores.cases import pooled
from dermlab.scores.familiarity import UNFAMILIAR


@dataclass(frozen=True)
class CasePrediction:
    case: str
    probs: dict[str, float]  # of every class, `other` included, the likeliest first; empty where no photo could be read
    # as of a photo, by thresholds that validation chose for cases; unfamiliar where each of its photos is
    tier: str
    photos: list[Prediction]  # those that could be read, and those that could not
    disagree: list[str]  # photos whose likeliest class is another than the case's
    candidates: tuple[str, ...] = ()  # as of a photo, by thresholds that validation chose for cases

    @property
    def top3(self) -> list[tuple[str, float]]:
        return list(self.probs.items())[:3]

    @property
    def error(self) -> str:
        return "" if self.probs else f"none of its {len(self.photos)} photos could be read"


def by_case(predictions: Sequence[Prediction], case_of: Mapping[str, str], model: TrainedModel) -> list[CasePrediction]:
    """The cases in order of their first photo. `case_of`: photo -> case. A photo that could not be read counts for nothing."""
    names, chosen = model.classes.names, model.calibration
    cases: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        cases.setdefault(case_of[prediction.photo], []).append(prediction)
    found = []
    for case, photos in cases.items():
        read = [photo for photo in photos if not photo.error]
        if not read:
            found.append(CasePrediction(case, {}, "", photos, []))
            continue
        probs = np.array([[photo.probs[name] for name in names] for photo in read])
        (together,), _ = pooled(probs, np.repeat(case, len(read)), chosen.pooling)
        order = np.argsort(-together, kind="stable")
        tier = str((chosen.case_tiers or chosen.tiers).of(together[None])[0]) if len(read) > 1 else read[0].tier
        if all(photo.tier == UNFAMILIAR for photo in read):
            tier = UNFAMILIAR
        sets = chosen.case_sets if len(read) > 1 else chosen.sets
        candidates = sets.names(together[None], names)[0] if sets and tier != UNFAMILIAR else ()
        likeliest = names[order[0]]
        others = [photo.photo for photo in read if photo.top3[0][0] != likeliest]
        found.append(CasePrediction(case, {names[c]: float(together[c]) for c in order}, tier, photos, others, candidates))
    return found
