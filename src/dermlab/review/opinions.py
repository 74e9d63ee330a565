"""Answers as opinions: one a reader and a photo. N photos, M readers, K classes, `other` among them."""

import numpy as np
import pandas as pd

from dermlab.data.classes import CANNOT_TELL, DROP, Classes
from dermlab.data.reviews import ADJUDICATION, first_answer, last_answers


def opinions_of(answers: pd.DataFrame) -> pd.DataFrame:
    """[N, M] of text, index image_id, a column a reader: the first class of the reader's last answer, `drop`, `cannot tell`, or NaN where
    he was not asked. Adjudications are none. answers: columns of `reviews.HEADER`."""
    return _table(answers[answers["mode"] != ADJUDICATION])


def adjudicated(answers: pd.DataFrame) -> pd.DataFrame:
    """What the last adjudicator said who could tell, and when: index image_id, columns verdict and date. Of one adjudicator's answers to a
    photo the last counts, also where he can no longer tell."""
    said = last_answers(answers[answers["mode"] == ADJUDICATION])
    said = said.assign(verdict=first_answer(said["answer"])).drop_duplicates(["image_id", "reviewer"], keep="last")
    told = said[said["verdict"] != CANNOT_TELL].drop_duplicates("image_id", keep="last")
    return told.set_index("image_id")[["verdict", "date"]]


def _table(answers: pd.DataFrame) -> pd.DataFrame:
    last = last_answers(answers).drop_duplicates(["image_id", "reviewer"], keep="last")
    last = last.assign(vote=first_answer(last["answer"]))
    return last.pivot(index="image_id", columns="reviewer", values="vote").astype(object)


def encoded(opinions: pd.DataFrame, classes: Classes) -> np.ndarray:
    """float [N, M]: classes as 0..K-1, NaN for what names none. As cleanlab's multiannotator takes it."""
    index = {name: place for place, name in enumerate(classes.names)}
    return opinions.map(lambda vote: index.get(vote, np.nan)).to_numpy(dtype=float).reshape(opinions.shape)


def said_drop(opinions: pd.DataFrame) -> np.ndarray:
    """bool [N]: a reader called the photo of no use, so that no class stands for what was said."""
    return (opinions == DROP).any(axis=1).to_numpy(dtype=bool)


def is_flagged(image_ids: pd.Index, flags: pd.DataFrame) -> np.ndarray:
    """bool [N]: the flags know the photo. Those of an older catalog may lack some that were read since."""
    return image_ids.isin(flags["image_id"])


def probabilities_of_flags(flags: pd.DataFrame, image_ids: pd.Index, classes: Classes) -> np.ndarray:
    """float [N, K], rows sum to 1, none of them 0: what the flags hold of each class, given the photo and its label. All photos must have
    flags (`is_flagged`). They say it of the label given and of the suggestion; what is left is the other classes' in equal parts."""
    rows = flags.set_index("image_id").loc[image_ids]
    probs, photo = np.zeros((len(rows), len(classes.names))), np.arange(len(rows))
    given, suggested = (classes.encode(rows[column], "data/flags.parquet") for column in ("given", "suggested"))
    probs[photo, suggested] = rows["suggested_prob"]
    probs[photo, given] = rows["quality"]
    total = probs.sum(axis=1)
    probs /= np.maximum(total, 1)[:, None]
    known = (probs > 0).sum(axis=1)
    left = np.maximum(1 - total, 0.01) / np.maximum(len(classes.names) - known, 1)
    probs = np.where(probs > 0, probs, left[:, None])
    return probs / probs.sum(axis=1, keepdims=True)
