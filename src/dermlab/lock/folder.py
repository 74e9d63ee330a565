"""`folder:PATH` and `s3://BUCKET/PREFIX`: images and one table of labels in a folder, a zip or a bucket; or folders that are classes.

What its cells mean is told in `columns`, `spelling` and `answers`.
"""

from itertools import chain

import pandas as pd

from dermlab.data.classes import why_no_class
from dermlab.data.questionnaire import PREFIX
from dermlab.lock.answers import answers_of
from dermlab.lock.columns import check_apart, class_columns, column_of, label_of_ticks, no_people, usual_patients, what_to_write
from dermlab.lock.contents import judged, said_of
from dermlab.lock.keys import keys_of
from dermlab.lock.label_table import TABLES, LabelTable, read_label_table
from dermlab.lock.layout import SPLITS, rows_of_folders, splits_of_folders
from dermlab.lock.listing import FileSource, Listing, frequent_classes, never_first
from dermlab.lock.opinions import opinions_of, weighted_columns
from dermlab.lock.spelling import alike, check_labels, check_not_changed, folded, joined_ids, joined_labels, lines_of, plain, says_nothing
from dermlab.run.errors import SourceError
from dermlab.run.progress import say, some

NOBODY_KNOWN = "patients are not known: photos of one person may lie on both sides of the split, and scores be too good"
BY_CASE = "patients are not known: cases are taken for them, and photos of one person in two cases may lie on both sides of the split"
FEW, MANY = 10, 100  # so few patients of more photos than that are a doubt
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
        table = read_label_table(data, where) if name else rows_of_folders(photos, self.path)
        frame, raw, said = self._rows(table, where, self._columns(table.frame, where, name, keys, photos))
        frame, more = self._found(frame, photos, others, where)
        frame["split"], of_splits = self._splits(frame, where)
        questions, answers, of_answers = answers_of(raw.loc[frame.index], table.delimiter, where)
        for line in (*table.said, *said, *more, *of_splits, *of_answers):
            say(f"      {line}")
        manifest = frame.drop(columns="image").assign(**answers).reset_index(drop=True)
        classes = frequent_classes(manifest["diagnosis"], self.options.min_class_count)
        for line in never_first(manifest, classes):
            say(f"      {line}")
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

    def _rows(self, table: LabelTable, where: str, used: dict[str, str]) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
        """Columns image, diagnosis, patient_id, case_id, split, and of several labels a photo those of `Opinions.of_photos`; the table's
        rows that they are from; and what to say of them. The index is the line in the table. `used`: role -> column."""
        raw, said = table.frame, []
        if self.options.skip_missing and len(empty := raw[used["image"]].loc[lambda names: names.isna()]):
            raw = raw.drop(index=empty.index)
            said.append(f"{some(len(empty), 'row without an image is', 'rows without an image are')} left out ({lines_of(empty)})")
        labels, raw, read, of_labels = self._labels(raw, used, where)
        _check_filled(raw, used, where)
        if renamed := [f"{role} from {name}" for role, name in used.items() if plain(name) not in (role, f"{role}_id")]:
            said.append(f"columns: {', '.join(renamed)}")
        if ignored := [name for name in raw.columns if name not in (*used.values(), *read) and not name.startswith(PREFIX)]:
            said.append(f"columns passed over: {', '.join(ignored)} (a name that begins with {PREFIX} makes a question of one)")
        by_case = "patient" not in used and "case" in used and raw[used["case"]].map(alike, na_action="ignore").nunique() > 2
        said += [BY_CASE] if by_case else [NOBODY_KNOWN] if "patient" not in used else no_people(used["patient"])
        frame = pd.DataFrame({"image": raw[used["image"]]}).join(labels)
        patients, of_patients = _ids(raw, used, "patient", where)
        cases, of_cases = (patients, []) if used.get("case") == used.get("patient") else _ids(raw, used, "case", where)
        frame["patient_id"], frame["case_id"] = patients, _cases_of_all(cases, patients)
        frame["split"] = raw[used["split"]] if "split" in used else None
        _check_one_patient_each(frame, used, where)
        if by_case:
            frame["patient_id"] = cases
        return frame, raw, [*said, *of_labels, *of_patients, *of_cases]

    def _labels(self, raw: pd.DataFrame, used: dict[str, str], where: str) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...], list[str]]:
        """Column diagnosis, and of several labels a photo those of `Opinions.of_photos`; the rows that they are from, one a photo; the
        columns read beside those of `used`, to which the label is added; and what to say."""
        pairs = weighted_columns(raw, used.values(), where) if self.options.label_column is None else []
        if pairs and "label" in used:
            raise SourceError(
                f"{where}: {used['label']} may be the label, and so may {pairs[0][0]} with its weight {pairs[0][1]}. Say which: "
                f"--label-column {used['label']}, or remove that column."
            )
        said, ticks = [], [] if "label" in used or pairs else class_columns(raw, used.values())
        if ticks:
            raw, used["label"] = raw.assign(label=label_of_ticks(raw[ticks], where)), "label"
            said.append(f"the label is the one of the columns {', '.join(ticks)} that is 1")
            if never := [name for name in ticks if name not in set(raw["label"])]:
                said.append(f"no row has a 1 in {', '.join(never)}")
        opinions, raw, of_raters = opinions_of(raw, used, pairs, where, self.options.rater_column is not None)
        read = (*ticks, *chain(*pairs))
        if opinions is None:
            _check_labels(raw[used["label"]], where)
            labels, of_spelling = joined_labels(raw[used["label"]])
            return pd.DataFrame({"diagnosis": labels}), raw, read, [*said, *of_spelling]
        _check_labels(opinions.at_lines().rename(used.get("label", "label")), where)
        labels, of_spelling = joined_labels(opinions.label)
        opinions = opinions.named(labels)
        of_photos = opinions.of_photos().reindex(raw.index)
        return of_photos, raw, read, [*said, *of_raters, *opinions.said(of_photos), *of_spelling]

    def _columns(self, raw: pd.DataFrame, where: str, table: str | None, keys: list[str], photos: list[str]) -> dict[str, str]:
        """Role -> column, of the roles that have one. `table`: its key; `keys`: all that the source holds."""
        o = self.options
        given = {
            "image": o.image_column, "label": o.label_column, "patient": o.patient_column, "case": o.case_column, "split": o.split_column,
            "rater": o.rater_column,
        }  # fmt: skip
        column = {role: column_of(role, name, raw, where) for role, name in given.items()}
        if o.no_patients:
            column["patient"] = None
        used = {role: name for role, name in column.items() if name}
        check_apart(used, where)
        ticks = list(chain(*weighted_columns(raw, used.values(), where))) if "label" not in used else []
        ticks = ticks or (class_columns(raw, used.values()) if "label" not in used else [])
        needed = ["image"] + ["label"] * (not ticks) + ["patient"] * (not o.no_patients)
        if missing := [role for role in needed if role not in used]:
            unknown = " and the ".join(role for role in missing if role != "patient")
            lacks = [f"no column is known as the {unknown}"] if unknown else []
            lacks += ["nothing tells the patients apart"] if "patient" in missing else []
            which = f"; it has {', '.join(raw.columns)}. {what_to_write(missing, raw, [*used.values(), *ticks], photos)}" if table else "."
            raise SourceError(
                f"{where}: {', and '.join(lacks)}{which}{self._without_patients(table, keys) if 'patient' in missing else ''}"
            )
        return used

    def _without_patients(self, table: str | None, keys: list[str]) -> str:
        """Why that cannot be, and where they may be told: people publish the photos' labels in one table, and whose they are in another."""
        columns = {key: self._usual_patients(key) for key in keys if key.lower().endswith(TABLES) and key != table}
        joinable = [f"{key} has {' and '.join(names)}: join it into {table} by image first." for key, names in columns.items() if names]
        if columns and not joinable:
            joinable = [f"Other tables there ({', '.join([*columns][:9])}) have no column of a usual name for a patient."]
        return " ".join(
            [
                " A split that does not know the patients tests a model on people it was trained on.",
                *joinable[:9],
                "Where each photo is of another person, or nobody knows, say --no-patients.",
            ]
        )

    def _usual_patients(self, key: str) -> list[str]:
        try:
            return usual_patients(read_label_table(self.files.read(key), key).frame.columns)
        except SourceError:
            return []  # it was not asked for, and what is asked for stands in the same error

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
                what = some(absent.sum(), f"of {len(frame)} images is", f"of {len(frame)} images are")
                raise SourceError(
                    f"{where}: {what} not there (first: {lines_of(lost[:1])}, {lost.iat[0]!r}). Restore them, correct the paths, or "
                    f"leave those rows out with --skip-missing. The source holds {some(len(photos), 'photo', 'photos')}"
                    + (f", such as {photos[0]!r}." if photos else ".")
                )
            left_out = some(absent.sum(), "row whose image is not there is", "rows whose image is not there are")
            said.append(f"{left_out} left out ({lines_of(keys[absent])})")
            if len(no_photos):
                said[-1] += f"; {some(len(no_photos), 'of them names', 'of them name')} a file that is no photo"
        _check_once(frame["image"], keys, where)
        if extra := sorted(set(photos) - set(keys.dropna())):
            said.append(f"{some(len(extra), 'photo has no row and is', 'photos have no row and are')} left out (first: {extra[0]!r})")
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
            raise SourceError(
                f"{where}, {lines_of(empty)}: {some(len(empty), 'row has', 'rows have')} no split, the others have. Fill it in, {otherwise}"
            )
        there = set(given)
        if lacking := {"train", "test"} - there:
            why = "Nothing could be learnt from them." if "train" in lacking else "Nothing could be tested on them."
            if "val" in there and "train" in there:
                why = "What chose a model cannot test it: name val `test`, and dermlab takes val out of train."
            raise SourceError(
                f"{where}: all rows are of split {' and '.join(sorted(there))}, and none of {' and '.join(sorted(lacking))}. {why} Give "
                f"rows that split, {otherwise}"
            )
        _check_one_split_each(frame["patient_id"], splits, where)
        if (spellings := column.groupby(splits).nunique().loc[lambda count: count > 1]).size:
            said.append(f"splits spelt in several ways are joined: {', '.join(f'{name} ({count})' for name, count in spellings.items())}")
        if there == {"train", "test"}:
            said.append("no row is of split val: dermlab takes it out of train, by patient (catalog.val_fraction); test stays as it is")
        return splits, said


def _check_filled(raw: pd.DataFrame, used: dict[str, str], where: str) -> None:
    for role in ("image", "patient"):
        if role in used and len(empty := raw[used[role]].loc[lambda cells: cells.isna()]):
            raise SourceError(
                f"{where}, {lines_of(empty)}, column {used[role]}: is empty, in {some(len(empty), 'row', 'rows')}. "
                + ("Fill in the paths, remove the rows, or leave them out with --skip-missing." if role == "image" else "")
                + ("Every image needs one: fill it in, or remove the rows." if role != "image" else "")
            )
    if "patient" in used and len(nobody := raw[used["patient"]].loc[lambda names: names.map(says_nothing)]):
        words = ", ".join(map(repr, sorted(set(nobody))[:5]))
        raise SourceError(
            f"{where}, {lines_of(nobody)}, column {used['patient']}: {words} names no patient, in {some(len(nobody), 'row', 'rows')}. "
            "Taken for a name, it would make one person of several. Fill in who it is, remove the rows, or, where each of these photos is "
            "of another person, give each a name of its own."
        )
    for role in ("image", "patient", "case"):
        if role in used:
            check_not_changed(raw[used[role]], where)


def _check_labels(labels: pd.Series, where: str) -> None:
    if len(empty := labels[labels.isna()]):
        raise SourceError(
            f"{where}, {lines_of(empty)}, column {labels.name}: is empty, in {some(len(empty), 'row', 'rows')}. Every image needs one: "
            "fill it in, or remove the rows."
        )
    check_labels(labels, where)
    whys = labels.map(folded).map(why_no_class)
    if len(none := labels[whys != ""]):
        why = whys[whys != ""].iloc[0]
        raise SourceError(
            f"{where}, {lines_of(none)}: a class cannot be named {none.iloc[0]!r}, {why}. Rename the class, or remove its rows."
        )


def _check_one_split_each(patients: pd.Series, splits: pd.Series, where: str) -> None:
    """Raises SourceError, which names lines and no person. None: nobody knows."""
    of_patient = splits.groupby(patients).nunique()
    if len(crossing := of_patient[of_patient > 1]):
        first = splits[patients == patients[patients.isin(crossing.index)].iloc[0]].drop_duplicates()
        lines = f"lines {first.index[0]} and {first.index[1]}: are of one patient, {first.iloc[0]} and {first.iloc[1]}"
        raise SourceError(
            f"{where}, {lines}. {some(len(crossing), 'patient has', 'patients have')} images in more than one split, and a "
            "model would be tested on people it was trained on. Give all images of a patient one split, or say --ignore-splits."
        )


def _check_once(images: pd.Series, keys: pd.Series, where: str) -> None:
    """That no photo has two rows. images: as the table spells them; keys: of the photos, None where there is none."""
    twice = keys[keys.notna() & keys.duplicated(keep=False)]
    if twice.empty:
        return
    two = twice[twice == twice.iloc[0]][:2]
    spelt = images[two.index].drop_duplicates()
    if len(spelt) == 2:
        raise SourceError(
            f"{where}, {lines_of(two, between=' and ')}: {spelt.iloc[0]!r} and {spelt.iloc[1]!r} are one photo, {two.iloc[0]!r}, in two "
            "spellings. Write it alike in all its rows; or remove the row that does not hold."
        )
    raise SourceError(
        f"{where}, {lines_of(two, between=' and ')}: name {two.iloc[0]!r} in two rows. One row an image: remove the one that does not "
        "hold; or, where several people labelled it, name them in a column `rater`."
    )


def _check_one_patient_each(frame: pd.DataFrame, used: dict[str, str], where: str) -> None:
    """Of the cases. Raises SourceError, which names lines and no person."""
    if "patient" not in used or "case" not in used:
        return
    of_case = frame.groupby("case_id")["patient_id"].nunique()
    if len(shared := of_case[of_case > 1]):
        rows = frame[frame["case_id"] == frame["case_id"][frame["case_id"].isin(shared.index)].iloc[0]]
        raise SourceError(
            f"{where}, {lines_of(rows.drop_duplicates('patient_id'))}, column {used['case']}: one case has photos of several patients, as "
            f"{some(len(shared), 'case does', 'cases do')} in all. Correct the patient; or, where cases are numbered within each patient, "
            "write both into one name."
        )


def _cases_of_all(cases: pd.Series, patients: pd.Series) -> pd.Series:
    """The case of each photo: where none is given, one of the patient's own, by the patient's id. Where both are numbered 1 to n that may
    be the case of somebody else; then the id gets an asterisk, which is no word, so that no answer seems to hold a part of it."""
    strangers = set(cases[cases.notna() & (cases != patients)])
    taken, own = {*cases.dropna(), *patients.dropna()}, {}
    for patient in sorted(strangers & set(patients[cases.isna()].dropna())):
        own[patient] = f"{patient}*"
        while own[patient] in taken:
            own[patient] += "*"
        taken.add(own[patient])
    return cases.fillna(patients.map(lambda patient: own.get(patient, patient), na_action="ignore"))


def _ids(raw: pd.DataFrame, used: dict[str, str], role: str, where: str) -> tuple[pd.Series, list[str]]:
    """The ids of a role, None where the table has none, and what to say of them."""
    if role not in used:
        return pd.Series(None, raw.index, dtype=object), []
    column = raw[used[role]]
    nothing = column.map(lambda name: name is None or says_nothing(name))
    ids, said = joined_ids(column.where(~nothing, None), role, where)
    if unnamed := int((nothing & column.notna()).sum()):
        said.append(f"{some(unnamed, 'row has', 'rows have')} a word for nothing as the {role}; it is read as empty")
    rows = ids.value_counts()
    if role == "patient" and len(rows) < FEW and len(ids) > MANY:
        names = some(len(rows), "name", "different names")
        said.append(f"column {column.name} has {names} for {len(ids)} photos: is it people whom it tells apart?")
    if role == "patient" and len(rows) > 2 and rows.iloc[0] > max(len(ids) / 4, 5 * rows.median()):
        first = lines_of(ids[ids == rows.index[0]][:1])
        said.append(f"one patient has {rows.iloc[0]} of {len(ids)} rows (first: {first}): is that a person, or a word for nobody?")
    return ids, said
