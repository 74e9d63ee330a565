"""`ham10000:PATH`: HAM10000 (Tschandl et al. 2018) in its official layout: `HAM10000_metadata.csv` beside image folders,
or one zip of it. Photos of one lesion are one group; age, sex and localization are the questionnaire.
"""

from pathlib import PurePosixPath

import pandas as pd

from dermlab.data.questionnaire import Question
from dermlab.lock.columns import no_people
from dermlab.lock.listing import FileSource, Listing, frequent_classes, question_of, read_known_table
from dermlab.run.errors import SourceError
from dermlab.run.progress import say, some

METADATA = ("HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab")  # the archive's own name has no ending
COLUMNS = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]


class Ham10000(FileSource):
    def scan(self) -> Listing:
        keys = self.keys()
        table = next((key for key in keys if PurePosixPath(key).name in METADATA), None)
        if table is None:
            raise SourceError(f"{self.path} holds no {METADATA[0]}. Give the folder or zip that has it beside the image folders.")
        where = f"{self.path}: {table}"
        rows = read_known_table(self.files.read(table), where, COLUMNS)
        key_of_image = {PurePosixPath(key).stem: key for key in keys if key.lower().endswith((".jpg", ".jpeg", ".png"))}
        absent = rows.loc[~rows["image_id"].isin(list(key_of_image)), "image_id"]
        if len(absent):
            images = some(len(absent), "image that is", "images that are")
            raise SourceError(f"{where} lists {images} not there (first: {absent.iat[0]}). Unpack all image parts.")
        for line in no_people("lesion_id"):
            say(f"      {line}")
        answered = rows.replace("unknown", None)
        frame = pd.DataFrame(
            {
                "patient_id": rows["lesion_id"],
                "case_id": rows["lesion_id"],
                "key": rows["image_id"].map(key_of_image),
                "diagnosis": rows["dx"],
                "split": None,
                "q_age": pd.to_numeric(answered["age"], errors="coerce"),
                "q_sex": answered["sex"],
                "q_localization": answered["localization"],
                "note_dx_type": rows["dx_type"],  # histology or follow-up gives the class away: no question
            }
        )
        questions = (
            Question(name="age", kind="number", low=0, high=100),
            question_of("sex", frame["q_sex"]),
            question_of("localization", frame["q_localization"]),
        )
        return Listing(self.pinned(frame), frequent_classes(frame["diagnosis"], self.options.min_class_count), questions)
