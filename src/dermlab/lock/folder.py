"""`folder:PATH` and `s3://BUCKET/PREFIX`: images and one table of labels in a folder, a zip or a bucket; or folders that are classes.

Every column of the table whose name starts with `q_` is a question of the questionnaire: a number where all its answers
are numbers, several answers where they are separated by `;`, a choice otherwise.
"""

import re

import numpy as np
import pandas as pd

from dermlab.data.ledger import DROP
from dermlab.data.questionnaire import PREFIX, Question, Questionnaire
from dermlab.lock.columns import column_of, nearest_column
from dermlab.lock.contents import judged, said_of
from dermlab.lock.keys import keys_of
from dermlab.lock.label_table import TABLES, LabelTable, plain, read_label_table
from dermlab.lock.layout import SPLITS, rows_of_folders
from dermlab.lock.listing import FileSource, Listing, frequent_classes, question_of
from dermlab.lock.people import joined_labels, joined_patients
from dermlab.run.errors import SourceError
from dermlab.run.progress import say

NO_ANSWER = ("nan", "n/a", "null")  # as programs write that there is none
WORKBOOKS = (".xlsx", ".xls", ".ods", ".numbers")


class Folder(FileSource):
    def scan(self) -> Listing:
        keys = self.keys()
        name = self._table(keys)
        where = f"{self.path}: {name}" if name else self.path
        with self.named():
            photos, others = judged(self.files, [key for key in keys if key != name])
            data = self.files.read(name) if name else b""
        for line in said_of(photos, others):
            say(f"      {line}")
        table = read_label_table(data, where) if name else LabelTable(rows_of_folders(photos, self.path))
        frame, said = self._rows(table, where, name is not None)
        frame, more = self._found(frame, photos, others, where)
        for line in (*table.said, *said, *more):
            say(f"      {line}")
        questions, answers = _answers(table.frame.loc[frame.index], table.delimiter)
        manifest = frame.drop(columns="image").assign(**answers).reset_index(drop=True)
        return Listing(self.pinned(manifest), frequent_classes(manifest["diagnosis"], self.options.min_class_count), questions)

    def _table(self, keys: list[str]) -> str | None:
        """The key of the table of labels, None where there is none."""
        tables = [key for key in keys if key.lower().endswith(TABLES)]
        if self.options.labels is not None:
            named = [key for key in keys if key == self.options.labels or key.endswith(f"/{self.options.labels}")]
            if len(named) != 1:
                raise SourceError(f"{self.path} holds {len(named)} tables {self.options.labels!r}. Tables there: {', '.join(tables[:9])}.")
            return named[0]
        if len(tables) > 1:
            raise SourceError(
                f"{self.path} holds {len(tables)} tables: {', '.join(tables[:9])}. Say which names the labels: --labels {tables[0]}"
            )
        if not tables and (sheets := [key for key in keys if key.lower().endswith(WORKBOOKS)]):
            raise SourceError(f"{self.path}: {sheets[0]} is a workbook. Save its sheet of labels as CSV (UTF-8) beside it, and lock again.")
        return tables[0] if tables else None

    def _rows(self, table: LabelTable, where: str, has_table: bool) -> tuple[pd.DataFrame, list[str]]:
        """Columns image, diagnosis, patient_id, case_id, split, and what to say of them; the index is the line in the table."""
        raw, used = table.frame, self._columns(table.frame, where, has_table)
        _check_filled(raw, used, where)
        said = []
        if renamed := [f"{role} from {name}" for role, name in used.items() if plain(name) not in (role, f"{role}_id")]:
            said.append(f"columns: {', '.join(renamed)}")
        if ignored := [name for name in raw.columns if name not in used.values() and not name.startswith(PREFIX)]:
            said.append(f"columns passed over: {', '.join(ignored)}")
        labels, of_labels = joined_labels(raw[used["label"]])
        patients, of_patients = joined_patients(raw[used["patient"]], where) if "patient" in used else (None, [])
        frame = pd.DataFrame({"image": raw[used["image"]], "diagnosis": labels}).assign(patient_id=patients)
        frame["case_id"] = raw[used["case"]].fillna(frame["patient_id"]) if "case" in used else frame["patient_id"]
        frame["split"] = _splits(raw[used["split"]], where) if "split" in used and not self.options.ignore_splits else None
        return frame, [*said, *of_labels, *of_patients]

    def _columns(self, raw: pd.DataFrame, where: str, has_table: bool) -> dict[str, str]:
        """Role -> column, of the roles that have one."""
        o = self.options
        given = {
            "image": o.image_column, "label": o.label_column, "patient": o.patient_column, "case": o.case_column, "split": o.split_column,
        }  # fmt: skip
        column = {role: column_of(role, name, raw, where) for role, name in given.items()}
        if o.no_patients:
            column["patient"] = None
        has = f"it has {', '.join(raw.columns)}. Say which"
        for role in ("image", "label"):
            if column[role] is None:
                raise SourceError(f"{where}: no column is known as the {role}; {has}: --{role}-column {nearest_column(role, raw)!r}")
        if column["patient"] is None and not o.no_patients:
            which = f"; {has}: --patient-column {nearest_column('patient', raw)!r}" if has_table else ""
            raise SourceError(
                f"{where}: nothing tells the patients apart{which}. A split that does not know them tests a model on people it was trained "
                "on. Where each photo is of another person, or nobody knows, say --no-patients."
            )
        return {role: name for role, name in column.items() if name}

    def _found(self, frame: pd.DataFrame, photos: list[str], others: dict[str, str], where: str) -> tuple[pd.DataFrame, list[str]]:
        keys, said = keys_of(frame["image"], photos, where)
        if (absent := keys.isna()).any():
            line = keys.index[absent][0]
            no_photos = keys_of(frame.loc[absent, "image"], list(others), where)[0].dropna()
            if len(no_photos) and not self.options.skip_missing:
                line, key = no_photos.index[0], no_photos.iloc[0]
                raise SourceError(
                    f"{where}: {len(no_photos)} of {len(frame)} images are there and are no photos (first: line {line}, {key!r} is "
                    f"{others[key]}). Make JPEG or PNG of them, or leave those rows out with --skip-missing."
                )
            if not self.options.skip_missing:
                raise SourceError(
                    f"{where}: {absent.sum()} of {len(frame)} images are not there (first: line {line}, {frame.at[line, 'image']!r}). "
                    f"Restore them, correct the paths, or leave those rows out with --skip-missing. The source holds {len(photos)} photos"
                    + (f", such as {photos[0]!r}." if photos else ".")
                )
            said.append(f"{absent.sum()} rows whose image is not there are left out")
            if len(no_photos):
                said[-1] += f"; {len(no_photos)} of them name a file that is no photo"
        twice = keys[keys.notna() & keys.duplicated(keep=False)]
        if len(twice):
            raise SourceError(
                f"{where}, lines {' and '.join(map(str, twice.index[twice == twice.iloc[0]][:2]))}: name {twice.iloc[0]!r} in two rows. "
                "One row an image: remove the one that does not hold."
            )
        if extra := len(set(photos) - set(keys.dropna())):
            said.append(f"{extra} photos have no row and are left out")
        return frame.assign(key=keys)[keys.notna()], said


def _check_filled(raw: pd.DataFrame, used: dict[str, str], where: str) -> None:
    for role in ("image", "label", "patient"):
        if role in used and (empty := raw[used[role]].isna()).any():
            raise SourceError(
                f"{where}, line {raw.index[empty][0]}, column {used[role]}: is empty, in {empty.sum()} rows. Every image needs "
                f"{'its path' if role == 'image' else 'one'}: fill it in, or remove the rows."
            )
    if (commands := raw[used["label"]].str.casefold() == DROP).any():
        raise SourceError(
            f"{where}, line {raw.index[commands][0]}: a class cannot be named {DROP!r}; that word takes a photo out. Rename the class."
        )


def _splits(column: pd.Series, where: str) -> pd.Series:
    splits = column.map(lambda name: SPLITS.get(name.casefold(), name), na_action="ignore")
    if (unknown := splits.dropna()[~splits.dropna().isin(SPLITS.values())]).size:
        raise SourceError(
            f"{where}, line {unknown.index[0]}: the split {unknown.iloc[0]!r} is not known. Valid: train, val, test; or --ignore-splits, "
            "and dermlab splits by patient."
        )
    if (lacking := {"train", "val", "test"} - set(splits.dropna())) and splits.notna().any():
        raise SourceError(
            f"{where}: has no rows of split {', '.join(sorted(lacking))}. All three are needed; or --ignore-splits, and dermlab splits "
            "by patient."
        )
    return splits


def _answers(rows: pd.DataFrame, delimiter: str) -> tuple[Questionnaire, dict[str, pd.Series]]:
    questions, answers = [], {}
    for column in [c for c in rows.columns if c.startswith(PREFIX)]:
        name, answered = column.removeprefix(PREFIX), rows[column].where(~rows[column].astype(str).str.casefold().isin(NO_ANSWER), None)
        given = answered.dropna()
        if delimiter != "," and len(given) and given.map(lambda v: re.fullmatch(r"[+-]?\d+(,\d+)?", v) is not None).all():
            given = given.str.replace(",", ".")  # where commas do not part values they are decimal points
        numbers = pd.to_numeric(given, errors="coerce")
        if len(given) and np.isfinite(numbers).all():
            low, high = float(numbers.min()), float(numbers.max())
            questions.append(Question(name=name, kind="number", low=low, high=high if high > low else low + 1))
            answers[column] = numbers.reindex(rows.index).astype(float)
        elif given.str.contains(";").any():
            several = answered.map(lambda v: tuple(sorted({a.strip() for a in v.split(";")} - {""})), na_action="ignore")
            questions.append(Question(name=name, kind="multi", choices=tuple(sorted({a for v in several.dropna() for a in v}))))
            answers[column] = several.astype(object).where(several.notna(), None)
        else:
            questions.append(question_of(name, answered))
            answers[column] = answered
    return tuple(questions), answers
