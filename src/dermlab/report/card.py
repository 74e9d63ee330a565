"""The model card, models/model/README.md: what whoever is handed the model has to know. Its headings follow what TRIPOD+AI (Collins et al.
2024) and CLAIM (Tejani et al. 2024) ask to be reported; what no file tells is said to be not recorded, and nothing is made up.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dermlab.data.classes import OTHER
from dermlab.data.questionnaire import PREFIX
from dermlab.data.tables import NOTE_PREFIX, SPLITS
from dermlab.report.checklist import Item, checklist
from dermlab.report.contents import Report, settings
from dermlab.report.inputs import Inputs

NOT_RECORDED = "Not recorded."
# What initial weights were trained on, as those who published them say.
ORIGINS = {
    "lite0": "EfficientNet-Lite0 (Tan & Le 2019; TensorFlow's weights), trained on ImageNet-1k: everyday objects, no medicine.",
    "medsiglip": "MedSigLIP-448 (Sellergren et al. 2025), trained on medical images and texts, dermatology photos among them; whether "
    "photos of this source were among them is not recorded.",
}


@dataclass(frozen=True)
class Card:
    report: Report
    backbone: str
    origin: str
    image_size: int
    diagnoses: list[str]
    rows: dict[str, tuple[int, int, int]]  # split -> images, patients, of them `other`
    by_patient: bool
    unanswered: dict[str, float]  # question -> share of the images in use
    notes: dict[str, dict[str, float]]  # what the source notes of the diagnoses, note -> its values by share
    train: dict[str, Any]
    relabelled: int
    shared: int
    left_out: int
    recipe: dict[str, str]
    checklist: list[Item]  # of reporting guidelines


def card(report: Report, inputs: Inputs) -> Card:
    rows, params = inputs.rows, inputs.params
    questions = [name for name in rows.columns if name.startswith(PREFIX)]
    trained = inputs.manifest[inputs.manifest["split"] == "train"]
    known = rows[rows["split"] == "train"]
    return Card(
        report=report,
        backbone=params.backbone,
        origin=ORIGINS.get(params.backbone, NOT_RECORDED),
        image_size=params.embed.model_dump()["image_size"],
        diagnoses=sorted(row.name for row in report.classes),
        rows={split: _counted(rows[rows["split"] == split]) for split in SPLITS},
        by_patient=bool((rows["patient_id"] != rows["image_id"]).any()),
        unanswered={name.removeprefix(PREFIX): float(rows[name].isna().mean()) for name in questions},
        notes=_notes(rows),
        train=inputs.metrics["train"],
        relabelled=int(trained["origin"].str.startswith("relabeled").sum()),
        shared=int(trained["labels"].notna().sum()),
        left_out=int((~known["image_id"].isin(trained["image_id"])).sum()),
        recipe=settings(params),
        checklist=checklist(report, bool(_notes(rows))),
    )


def _counted(rows: pd.DataFrame) -> tuple[int, int, int]:
    return len(rows), int(rows["patient_id"].nunique()), int((rows["label"] == OTHER).sum())


def _notes(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Those of few values: of many they are texts, which may name a person."""
    found = {}
    for name in rows.columns:
        if name.startswith(NOTE_PREFIX) and 0 < rows[name].nunique() <= 12:
            found[name.removeprefix(NOTE_PREFIX)] = rows[name].fillna("not noted").value_counts(normalize=True).to_dict()
    return found
