"""`scin:PATH`: SCIN (Ward et al. 2024): `scin_cases.csv`, `scin_labels.csv` and the images they name, in a folder or zip.

The diagnosis is the label of the largest weight; all of them are kept, and how many dermatologists gave them. SCIN tells no patients: a
case is a person of its own, and cases that name one photo are one person's.
"""

from pathlib import PurePosixPath

import pandas as pd

from dermlab.data.folds import people_of
from dermlab.data.questionnaire import Question, Questionnaire
from dermlab.data.shares import Shares, renamed, several, shares_of
from dermlab.lock.columns import no_people
from dermlab.lock.listing import FileSource, Listing, frequent_classes, question_of, read_known_table
from dermlab.lock.opinions import read_weights
from dermlab.lock.spelling import joined_labels
from dermlab.run.errors import SourceError
from dermlab.run.progress import say, some

CASES, LABELS = "scin_cases.csv", "scin_labels.csv"
MULTI = ("textures", "body_parts", "condition_symptoms", "other_symptoms")
CHOICES = ("age_group", "sex_at_birth", "related_category", "condition_duration")
# What clinicians judged on the photo; nothing that a patient who sends one can answer.
TONES = {
    "dermatologist_fitzpatrick_skin_type_label_1": "fitzpatrick_judged",
    "monk_skin_tone_label_india": "monk_judged_in_india",
    "monk_skin_tone_label_us": "monk_judged_in_us",
}
GRADED = "dermatologist_gradable_for_skin_condition_"
NOT_ANSWERED = ("AGE_UNKNOWN", "OTHER_OR_UNSPECIFIED", "UNKNOWN")


class Scin(FileSource):
    def scan(self) -> Listing:
        keys = self.keys()
        images = ["image_1_path", "image_2_path", "image_3_path"]
        cases = self._table(keys, CASES, ["case_id", *CHOICES, *images])
        labels = self._table(keys, LABELS, ["case_id", "weighted_skin_condition_label"])
        by_case = labels.drop_duplicates("case_id").set_index("case_id")
        weights = by_case["weighted_skin_condition_label"].map(_weights)
        weights = weights[weights.map(bool)]
        names = pd.Series(sorted({name for shares in weights for name, _ in shares}), dtype=object)
        spelt = dict(zip(names, joined_labels(names)[0], strict=True))
        weights = weights.map(lambda shares: renamed(shares, spelt.__getitem__))
        graded = cases[cases["case_id"].isin(weights.index)]
        questions, answers = _answers(graded)
        one_row_an_image = (
            pd.concat([graded, answers], axis=1)
            .melt(id_vars=["case_id", *answers.columns], value_vars=images, value_name="path")
            .dropna(subset="path")
            .reset_index(drop=True)
        )
        people = people_of(one_row_an_image["case_id"], pd.factorize(one_row_an_image["path"])[0])
        again = one_row_an_image["path"].duplicated().to_numpy()
        one_row_an_image = one_row_an_image.assign(person=people)[~again].reset_index(drop=True)
        if again.any():
            say(
                f"      {some(again.sum(), 'photo is named again', 'photos are named again')}, mostly by another case: each stays with the "
                "case that names it first, and such cases count as one person's"
            )
        ties = sum(len(shares) > 1 and shares[0][1] == shares[1][1] for shares in weights)
        for line in (
            *no_people("case_id"),
            f"{some((weights.map(len) > 1).sum(), 'case has', 'cases have')} several labels, and all are kept; the label is the one of "
            f"most weight, in {ties:,} the first by its name of two that have the same",
        ):
            say(f"      {line}")
        tones = [name for name in TONES if name in labels.columns]
        judged = one_row_an_image[["case_id"]].merge(labels.drop_duplicates("case_id")[["case_id", *tones]], on="case_id", how="left")
        of_case = one_row_an_image["case_id"].map(weights)
        frame = one_row_an_image[list(answers.columns)].assign(
            patient_id=one_row_an_image["person"],
            case_id=one_row_an_image["case_id"],
            key=self._keys_of(one_row_an_image["path"], keys),
            diagnosis=of_case.map(lambda shares: shares[0][0]),
            diagnoses=[several(shares) for shares in of_case],
            votes=one_row_an_image["case_id"].map(_dermatologists(by_case)),
            split=None,
            **{f"note_{TONES[name]}": judged[name].to_numpy() for name in tones},
        )
        return Listing(self.pinned(frame), frequent_classes(frame["diagnosis"], self.options.min_class_count), questions)

    def _table(self, keys: list[str], name: str, columns: list[str]) -> pd.DataFrame:
        key = next((k for k in keys if PurePosixPath(k).name == name), None)
        if key is None:
            raise SourceError(f"{self.path} holds no {name}. Give the folder that has {CASES}, {LABELS} and the images.")
        return read_known_table(self.files.read(key), f"{self.path}: {key}", columns)

    def _keys_of(self, image_paths: pd.Series, keys: list[str]) -> list[str]:
        """The tables say `dataset/images/1.png`; the images may lie under another folder of the same file name."""
        key_of_name = {PurePosixPath(k).name: k for k in keys}
        absent = [p for p in image_paths if PurePosixPath(p).name not in key_of_name]
        if absent:
            raise SourceError(
                f"{self.path}: {len(absent)} of {len(image_paths)} images named in {CASES} are not there "
                f"(first: {absent[0]}). Download SCIN's dataset/images/ into the folder."
            )
        return [key_of_name[PurePosixPath(p).name] for p in image_paths]


def _weights(text: object) -> Shares | None:
    """Of `{'Eczema': 0.41, ...}` as the table writes it; None of `{}`, where nobody could tell."""
    weights = read_weights(text, LABELS) if isinstance(text, str) and text.strip() != "{}" else {}
    if any(not isinstance(weight, int | float) or not 0 <= weight <= 1e12 for weight in weights.values()) or not any(weights.values()):
        if weights:
            raise SourceError(f"{LABELS}: {text[:80]!r} has a weight that is none, or none above 0. Download the table again.")
        return None
    return shares_of(weights)


def _dermatologists(labels: pd.DataFrame) -> pd.Series:
    """How many graded each case, by case; NaN where the table does not say."""
    columns = [name for name in labels.columns if name.startswith(GRADED)]
    count = (labels[columns] == "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT").sum(axis=1).astype(float)
    return count.where(count > 0)


def _answers(cases: pd.DataFrame) -> tuple[Questionnaire, pd.DataFrame]:
    questions: list[Question] = []
    columns: dict[str, pd.Series] = {}
    for name in CHOICES:
        answered = cases[name].where(~cases[name].isin(NOT_ANSWERED))
        questions.append(question_of(name, answered))
        columns[f"q_{name}"] = answered
    for name in MULTI:
        ticks = {c.removeprefix(f"{name}_"): cases[c] == "YES" for c in cases.columns if c.startswith(f"{name}_")}
        ticked = pd.DataFrame(ticks, index=cases.index)
        questions.append(Question(name=name, kind="multi", choices=tuple(sorted(ticked.columns))))
        several = [tuple(sorted(ticked.columns[row])) or None for row in ticked.to_numpy()]
        columns[f"q_{name}"] = pd.Series(several, index=cases.index, dtype=object)
    return tuple(questions), pd.DataFrame(columns)
