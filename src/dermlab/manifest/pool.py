"""The pool `other`: so many of its rows that they are a given share of a split."""

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER
from dermlab.data.stable import ranked


def pool_size(targets: int, ratio: float) -> int:
    """round(n r / (1 - r)): with n target rows and so many of `other`, `other` is the share r of all. 0 <= ratio < 1."""
    return round(targets * ratio / (1 - ratio))


def draw_order(image_ids: pd.Series, seed: int, part: int) -> pd.Series:
    """Each image's place in a seeded order, by image_id. `part` makes the splits' orders independent.

    By a keyed hash, over all images of a split: two variants of one seed, or a catalog with a few images more, keep the same rows of
    `other` as far as their sizes allow.
    """
    ids = ranked(image_ids.tolist(), seed, f"pool {part}")
    return pd.Series(np.arange(len(ids)), index=pd.Index(ids, dtype=object))


def keep_pool(rows: pd.DataFrame, ratio: float, order: pd.Series) -> pd.DataFrame:
    """All target rows and the first of `other`, all of them where there are too few. rows: image_id, label; order: draw_order."""
    is_other = rows["label"] == OTHER
    pool = rows[is_other]
    place = order.reindex(pool["image_id"]).to_numpy()
    kept = pool.index[np.argsort(place, kind="stable")[: pool_size(int((~is_other).sum()), ratio)]]
    return rows[~is_other | rows.index.isin(kept)]
