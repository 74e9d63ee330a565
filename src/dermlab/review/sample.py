"""data/sample.csv: training rows drawn by known probabilities, from whose answers follows how many labels are wrong.

A line a row, in git. The probability of a row is drawn / rows of its stratum, which is what the flags said of it when it was drawn.
"""

import csv
import hashlib
import io
from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.lines import READERS
from dermlab.data.stable import ranked
from dermlab.review.draw import Cases
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import DIGITS, write_text
from dermlab.scores.strata import allocation

HEADER = ("image_id", "label", "stratum", "rows", "drawn", "flags")  # label: as it was then; flags: the digest of all strata
STRATA = ("mislabeled", "doubtful", "sure")
# Of a stratum's rows: the least and the most that are reckoned wrong where rows are shared out. The flags, whose word it is, are in doubt.
EXPECTED_WRONG = (0.02, 0.5)
SEED = 17


def strata_of(flags: pd.DataFrame) -> pd.Series:
    """Of each training row one of STRATA: flagged, in the queue of review, or neither. Index image_id, sorted."""
    stratum = np.select([flags["label_issue"], flags["review_rank"].notna()], STRATA[:2], STRATA[2])
    return pd.Series(stratum, index=flags["image_id"], dtype=object).sort_index()


def draw_sample(flags: pd.DataFrame, size: int) -> pd.DataFrame:
    """`size` rows, or all there are: columns HEADER, sorted by stratum and image. In a stratum each row is as likely as any other; a larger
    sample by the same flags holds a smaller one."""
    strata, by_image = strata_of(flags), flags.set_index("image_id")
    images = {name: strata.index[strata == name] for name in STRATA}
    images = {name: of for name, of in images.items() if len(of)}
    wrong = np.clip([1 - by_image.loc[of, "quality"].mean() for of in images.values()], *EXPECTED_WRONG)
    drawn = allocation([len(of) for of in images.values()], np.sqrt(wrong * (1 - wrong)).tolist(), size)
    digest = hashlib.sha256("".join(f"{image},{name}\n" for image, name in strata.items()).encode()).hexdigest()[:DIGITS]
    lines = [
        (image, by_image.at[image, "given"], name, len(of), count, digest)
        for (name, of), count in zip(images.items(), drawn, strict=True)
        for image in sorted(ranked(of.tolist(), SEED, f"sample of {name}")[:count])
    ]
    return pd.DataFrame(lines, columns=list(HEADER))


def cards_of(sample: pd.DataFrame, cases: Cases, ledger: pd.DataFrame) -> list[str]:
    """The cards on which a row of the sample lies that the catalog still has and no person's own line of the ledger settles. What was
    concluded of readers is asked again of another one: where they differ it is open."""
    settled = ledger.loc[ledger["reviewer"] != READERS, "image_id"]
    open_ = sample.loc[~sample["image_id"].isin(settled) & sample["image_id"].isin(list(cases.of_image)), "image_id"]
    return list(dict.fromkeys(open_.map(cases.of_image)))


def read_sample(path: Path = paths.SAMPLE) -> pd.DataFrame | None:
    """Columns HEADER; None where none was drawn. Raises ContractError where the file is not as it was written."""
    if not path.exists():
        return None
    try:
        sample = pd.read_csv(path, dtype=str, keep_default_na=False).astype({"rows": int, "drawn": int})
        whole = len(sample) and tuple(sample) == HEADER and _is_whole(sample)
    except (ValueError, KeyError):  # pandas' own errors are of these
        whole = False
    if not whole:
        raise ContractError(f"{path} is not as it was written: with a line more or less its estimate is wrong. `git checkout {path}`.")
    return sample


def _is_whole(sample: pd.DataFrame) -> bool:
    """One line an image, of each stratum as many as it says were drawn, of as many rows in every line."""
    of_stratum = sample.groupby("stratum")
    return (
        sample["image_id"].is_unique
        and sample["stratum"].isin(STRATA).all()
        and (sample["drawn"] == of_stratum["image_id"].transform("size")).all()
        and (sample["rows"] == of_stratum["rows"].transform("first")).all()
        and (sample["rows"] >= sample["drawn"]).all()
        and sample["flags"].nunique() == 1
    )


def sample_of(flags: pd.DataFrame, size: int, path: Path = paths.SAMPLE) -> pd.DataFrame:
    """The sample of this repository, drawn where there is none and enlarged where it has less than `size` rows. Raises ContractError where
    the flags have changed since, so that their strata are others, or where it was drawn of another source."""
    there, new = read_sample(path), draw_sample(flags, size)
    if there is not None and not there["image_id"].isin(flags["image_id"]).any():
        raise ContractError(
            f"{path} was drawn of another source: none of its {len(there)} rows is a training row here. Without that file a "
            "new sample is drawn."
        )
    if there is not None and len(there) >= len(new):
        return there
    if there is not None and there["flags"].iloc[0] != new["flags"].iloc[0]:
        raise ContractError(
            f"{path} was drawn by other flags, {len(there)} rows, and cannot be enlarged by these. --sample {len(there)} asks what it has; "
            f"without that file (`git rm {path}`) a new sample is drawn, and answers to its rows that the record holds count."
        )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *new.itertuples(index=False)])
    write_text(path, text.getvalue())
    return new
