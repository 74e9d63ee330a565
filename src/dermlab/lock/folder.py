"""`folder:PATH`: images and one CSV of labels in a folder or zip; the CSV's columns are named in params.yaml.

Every column of the CSV whose name starts with `q_` is a question of the questionnaire: a number where all its answers
are numbers, several answers where they are separated by `;`, a choice otherwise.
"""

import pandas as pd

from dermlab.data.errors import SourceError
from dermlab.data.questionnaire import PREFIX, Question, Questionnaire
from dermlab.lock.sources import FileSource, Listing, frequent_classes, question_of, read_csv


class Folder(FileSource):
    def scan(self) -> Listing:
        p = self.options
        tables = [key for key in self.files.list() if key.lower().endswith(".csv")]
        if len(tables) != 1:
            raise SourceError(f"{self.path} must hold exactly one CSV of labels; it holds {len(tables)}: {', '.join(tables[:5])}.")
        where = f"{self.path}: {tables[0]}"
        rows = read_csv(self.files.read(tables[0]), where, [p.image_column, p.label_column, p.patient_column])
        for name in (p.image_column, p.label_column, p.patient_column):
            if rows[name].isna().any():
                line = int(rows[name].isna().argmax()) + 2
                raise SourceError(f"{where}, line {line}, column {name}: is empty. Every image needs one; without patients a split leaks.")
        questions, answers = _answers(rows)
        frame = pd.DataFrame(
            {
                "patient_id": rows[p.patient_column],
                "case_id": rows[p.case_column if p.case_column in rows else p.patient_column],
                "key": rows[p.image_column],
                "diagnosis": rows[p.label_column].str.strip(),
                "split": rows.get(p.split_column, None),
                **answers,
            }
        )
        return Listing(self.pinned(frame), frequent_classes(frame["diagnosis"], p.min_class_count), questions)


def _answers(rows: pd.DataFrame) -> tuple[Questionnaire, dict[str, pd.Series]]:
    questions, answers = [], {}
    for column in [c for c in rows.columns if c.startswith(PREFIX)]:
        name, given = column.removeprefix(PREFIX), rows[column].dropna()
        numbers = pd.to_numeric(given, errors="coerce")
        if len(given) and numbers.notna().all():
            low, high = float(numbers.min()), float(numbers.max())
            questions.append(Question(name=name, kind="number", low=low, high=high if high > low else low + 1))
            answers[column] = pd.to_numeric(rows[column])
        elif given.str.contains(";").any():
            several = rows[column].map(lambda v: tuple(sorted({a.strip() for a in v.split(";")} - {""})), na_action="ignore")
            questions.append(Question(name=name, kind="multi", choices=tuple(sorted({a for v in several.dropna() for a in v}))))
            answers[column] = several.astype(object).where(several.notna(), None)
        else:
            questions.append(question_of(name, rows[column]))
            answers[column] = rows[column]
    return tuple(questions), answers
