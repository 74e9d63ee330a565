"""`folder:PATH` and `s3://BUCKET/PREFIX`: images and one table of labels in a folder, a zip or a bucket; or folders that are classes.

What its cells mean is told in `columns`, `spelling` and `answers`.
"""

import pandas as pd

from dermlab.data.ledger import DROP
from dermlab.data.questionnaire import PREFIX
from dermlab.lock.answers import answers_of
from dermlab.lock.columns import class_columns, column_of, label_of_ticks, nearest_column
from dermlab.lock.contents import judged, said_of
from dermlab.lock.keys import keys_of
from dermlab.lock.label_table import TABLES, LabelTable, read_label_table
from dermlab.lock.layout import SPLITS, rows_of_folders, splits_of_folders
from dermlab.lock.listing import FileSource, Listing, frequent_classes
from dermlab.lock.spelling import check_labels, check_not_changed, folded, joined_ids, joined_labels, lines_of, plain, says_nothing
from dermlab.run.errors import SourceError
from dermlab.run.progress import say

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
        frame["split"], of_splits = self._splits(frame, where)
        questions, answers, of_answers = answers_of(table.frame.loc[frame.index], table.delimiter, where)
        for line in (*table.said, *said, *more, *of_splits, *of_answers):
            say(f"      {line}")
        manifest = frame.drop(columns="image").assign(**answers).reset_index(drop=True)
        classes = frequent_classes(manifest["diagnosis"], self.options.min_class_count)
        return Listing(self.pinned(manifest), classes, questions, places=frame.index)

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
        raw, used, said = table.frame, self._columns(table.frame, where, has_table), []
        ticks = [] if "label" in used else class_columns(raw, used.values())
        if ticks:
            raw, used["label"] = raw.assign(label=label_of_ticks(raw[ticks], where)), "label"
            said.append(f"the label is the one of the columns {', '.join(ticks)} that is 1")
        _check_filled(raw, used, where)
        if renamed := [f"{role} from {name}" for role, name in used.items() if plain(name) not in (role, f"{role}_id")]:
            said.append(f"columns: {', '.join(renamed)}")
        if ignored := [name for name in raw.columns if name not in (*used.values(), *ticks) and not name.startswith(PREFIX)]:
            said.append(f"columns passed over: {', '.join(ignored)}")
        labels, of_labels = joined_labels(raw[used["label"]])
        frame = pd.DataFrame({"image": raw[used["image"]], "diagnosis": labels})
        patients, of_patients = _ids(raw, used, "patient", where)
        cases, of_cases = (patients, []) if used.get("case") == used.get("patient") else _ids(raw, used, "case", where)
        frame["patient_id"], frame["case_id"] = patients, cases.fillna(patients)
        frame["split"] = raw[used["split"]] if "split" in used else None
        return frame, [*said, *of_labels, *of_patients, *of_cases]

    def _columns(self, raw: pd.DataFrame, where: str, has_table: bool) -> dict[str, str]:
        """Role -> column, of the roles that have one."""
        o = self.options
        given = {
            "image": o.image_column, "label": o.label_column, "patient": o.patient_column, "case": o.case_column, "split": o.split_column,
        }  # fmt: skip
        column = {role: column_of(role, name, raw, where) for role, name in given.items()}
        if o.no_patients:
            column["patient"] = None
        has, taken = f"it has {', '.join(raw.columns)}. Say which", [name for name in column.values() if name]
        ticks = class_columns(raw, taken) if column["label"] is None else []
        for role in ("image", "label"):
            if column[role] is None and not (role == "label" and ticks):
                nearest = nearest_column(role, raw, [*taken, *ticks])
                raise SourceError(f"{where}: no column is known as the {role}; {has}: --{role}-column {nearest!r}")
        if column["patient"] is None and not o.no_patients:
            which = f"; {has}: --patient-column {nearest_column('patient', raw, [*taken, *ticks])!r}" if has_table else ""
            raise SourceError(
                f"{where}: nothing tells the patients apart{which}. A split that does not know them tests a model on people it was trained "
                "on. Where each photo is of another person, or nobody knows, say --no-patients."
            )
        return {role: name for role, name in column.items() if name}

    def _found(self, frame: pd.DataFrame, photos: list[str], others: dict[str, str], where: str) -> tuple[pd.DataFrame, list[str]]:
        keys, said = keys_of(frame["image"], photos, where)
        if (absent := keys.isna()).any():
            lost = frame.loc[absent, "image"]
            no_photos = keys_of(lost, list(others), where)[0].dropna()
            if len(no_photos) and not self.options.skip_missing:
                line, key = lines_of(no_photos[:1]), no_photos.iloc[0]
                raise SourceError(
                    f"{where}: {len(no_photos)} of {len(frame)} images are there and are no photos (first: {line}, {key!r} is "
                    f"{others[key]}). Make JPEG or PNG of them, or leave those rows out with --skip-missing."
                )
            if not self.options.skip_missing:
                raise SourceError(
                    f"{where}: {absent.sum()} of {len(frame)} images are not there (first: {lines_of(lost[:1])}, {lost.iat[0]!r}). "
                    f"Restore them, correct the paths, or leave those rows out with --skip-missing. The source holds {len(photos)} photos"
                    + (f", such as {photos[0]!r}." if photos else ".")
                )
            said.append(f"{absent.sum()} rows whose image is not there are left out")
            if len(no_photos):
                said[-1] += f"; {len(no_photos)} of them name a file that is no photo"
        twice = keys[keys.notna() & keys.duplicated(keep=False)]
        if len(twice):
            raise SourceError(
                f"{where}, {lines_of(twice[twice == twice.iloc[0]][:2], between=' and ')}: name {twice.iloc[0]!r} in two rows. "
                "One row an image: remove the one that does not hold."
            )
        if extra := len(set(photos) - set(keys.dropna())):
            said.append(f"{extra} photos have no row and are left out")
        return frame.assign(key=keys)[keys.notna()], said

    def _splits(self, frame: pd.DataFrame, where: str) -> tuple[pd.Series | None, list[str]]:
        """train, val or test of each row, by its column, else by the folders of its photo, and what to say of them; None where neither
        tells it. `val` may be missing: `catalog` draws it."""
        column, said = frame["split"], []
        if column.isna().all() and (column := splits_of_folders(frame["key"])) is not None:
            said.append(f"the split is that of the folders which the photos lie in: {', '.join(sorted(set(column)))}")
        if column is None or self.options.ignore_splits:
            return None, []
        splits = column.map(lambda name: SPLITS.get(plain(name), name), na_action="ignore")
        given = splits.dropna()
        otherwise = "or say --ignore-splits, and dermlab splits by patient."
        if (unknown := given[~given.isin(SPLITS.values())]).size:
            raise SourceError(
                f"{where}, {lines_of(unknown)}: the split {unknown.iloc[0]!r} is not known. Valid: train, val, test; {otherwise}"
            )
        if len(empty := splits[splits.isna()]):
            raise SourceError(f"{where}, {lines_of(empty)}: {len(empty)} rows have no split, the others have. Fill it in, {otherwise}")
        there = set(given)
        if lacking := {"train", "test"} - there:
            why = "Nothing could be learnt from them." if "train" in lacking else "Nothing could be tested on them."
            if "val" in there and "train" in there:
                why = "What chose a model cannot test it: name val `test`, and dermlab takes val out of train."
            raise SourceError(
                f"{where}: all rows are of split {' and '.join(sorted(there))}, and none of {' and '.join(sorted(lacking))}. {why} Give "
                f"rows that split, {otherwise}"
            )
        if (spellings := column.groupby(splits).nunique().loc[lambda count: count > 1]).size:
            said.append(f"splits spelt in several ways are joined: {', '.join(f'{name} ({count})' for name, count in spellings.items())}")
        if there == {"train", "test"}:
            said.append("no row is of split val: dermlab takes it out of train, by patient (catalog.val_fraction); test stays as it is")
        return splits, said


def _check_filled(raw: pd.DataFrame, used: dict[str, str], where: str) -> None:
    for role in ("image", "label", "patient"):
        if role in used and (empty := raw[used[role]].isna()).any():
            raise SourceError(
                f"{where}, {lines_of(raw[empty][:1])}, column {used[role]}: is empty, in {empty.sum()} rows. Every image needs "
                f"{'its path' if role == 'image' else 'one'}: fill it in, or remove the rows."
            )
    if "patient" in used and len(nobody := raw[used["patient"]].loc[lambda names: names.map(says_nothing)]):
        words = ", ".join(map(repr, sorted(set(nobody))[:5]))
        raise SourceError(
            f"{where}, {lines_of(nobody)}, column {used['patient']}: {words} names no patient, in {len(nobody)} rows. Taken for a name, "
            "it would make one person of several. Fill in who it is, remove the rows, or, where each of these photos is of another person, "
            "give each a name of its own."
        )
    for role in ("image", "patient", "case"):
        if role in used:
            check_not_changed(raw[used[role]], where)
    check_labels(raw[used["label"]], where)
    if (commands := raw[used["label"]].map(folded) == DROP).any():
        raise SourceError(
            f"{where}, {lines_of(raw[commands][:1])}: a class cannot be named {DROP!r}; that word takes a photo out. Rename the class."
        )


def _ids(raw: pd.DataFrame, used: dict[str, str], role: str, where: str) -> tuple[pd.Series, list[str]]:
    """The ids of a role, None where the table has none, and what to say of them."""
    if role not in used:
        return pd.Series(None, raw.index, dtype=object), []
    column = raw[used[role]]
    nothing = column.map(lambda name: name is None or says_nothing(name))
    ids, said = joined_ids(column.where(~nothing, None), role, where)
    if unnamed := int((nothing & column.notna()).sum()):
        said.append(f"{unnamed} rows have a word for nothing as their {role}; it is read as empty")
    rows = ids.value_counts()
    if role == "patient" and len(rows) > 2 and rows.iloc[0] > max(len(ids) / 4, 5 * rows.median()):
        first = lines_of(ids[ids == rows.index[0]][:1])
        said.append(f"one patient has {rows.iloc[0]} of {len(ids)} rows (first: {first}): is that a person, or a word for nobody?")
    return ids, said
