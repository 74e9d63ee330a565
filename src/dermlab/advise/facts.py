"""What is known of these data and of the network that params.yaml names, from the files that are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dermlab.data.classes import OTHER, read_classes
from dermlab.data.json_files import read_json
from dermlab.data.ledger import read_ledger
from dermlab.data.reviews import read_record
from dermlab.data.tables import CASE, CATALOG, read_table
from dermlab.review.sample import read_sample
from dermlab.review.sampled import sampled
from dermlab.run import paths
from dermlab.run.params import check_params, flat

EXPECTED, AUTO = "flag.expected_noise", "auto"


@dataclass(frozen=True)
class Noise:
    """Which share of the training labels is wrong."""

    share: float | None = None  # None: not known
    interval: tuple[float, float] | None = None  # 95 %, where a review of rows drawn by chance found it
    at_least: float | None = None  # what the labels show by themselves


@dataclass(frozen=True)
class Facts:
    params: Mapping[str, Any]  # by dotted key, as params.yaml is now
    noise: Noise
    rows: Mapping[str, int]  # training rows of each target class that has any, the most first; empty without a catalog
    cases: int  # of all splits
    of_several: int  # of them: of two photos or more
    several_labels: bool  # photos that raters labelled differently
    alpha: tuple[float, tuple[float, float] | None] | None  # Krippendorff's, of the test cases' raters, with its 95 % interval
    missing: Mapping[str, str]  # what is not known -> the command that makes the file it stands in

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(self.params["variant"].split("+"))

    @property
    def frozen(self) -> bool:
        return self.params["train.finetune_epochs"] == 0

    @property
    def uneven(self) -> float | None:
        """Rows of the commonest class over those of the rarest."""
        return max(self.rows.values()) / min(self.rows.values()) if self.rows else None

    @property
    def small(self) -> int:
        """Classes from which the guard drops no row."""
        return sum(rows <= self.params["manifest.min_count"] for rows in self.rows.values())


def read_facts() -> Facts:
    """Raises DermlabError where a file breaks its contract; one that is not there is missing."""
    params = flat(check_params())
    missing = {}
    if not (paths.SOURCE / "source.json").exists():
        missing["the source"] = "dermlab lock SOURCE"
    if not paths.CATALOG.exists():
        missing["classes, cases and raters"] = "dvc repro catalog"
    if not paths.metrics_of("flag").exists():
        missing["what the labels show by themselves"] = "dvc repro flag"
    catalog = read_table(paths.CATALOG, CATALOG) if paths.CATALOG.exists() else None
    noise = _noise(params[EXPECTED], catalog)
    if catalog is None:
        return Facts(params, noise, {}, 0, 0, False, None, missing)
    several_labels = "labels" in catalog and bool(catalog["labels"].notna().any())
    if several_labels and not paths.metrics_of("evaluate").exists():
        missing["how far raters agree"] = "dvc exp run"
    labels = catalog.loc[(catalog["split"] == "train") & (catalog["label"] != OTHER), "label"]
    photos = catalog[CASE].value_counts()
    return Facts(
        params=params,
        noise=noise,
        rows={str(name): int(rows) for name, rows in labels.value_counts().items()},
        cases=len(photos),
        of_several=int((photos > 1).sum()),
        several_labels=several_labels,
        alpha=_alpha(),
        missing=missing,
    )


def _noise(expected: float | str, catalog: pd.DataFrame | None) -> Noise:
    """The surest that there is: as a sampled review found, as params.yaml says, as the labels show. expected: the param EXPECTED."""
    path = paths.metrics_of("flag")
    shown = ((read_json(path)["noise"] or {}) if path.exists() else {}).get("at_least")
    if catalog is not None and (sample := read_sample()) is not None:
        classes = read_classes()
        record, ledger = read_record(catalog, classes), read_ledger(paths.RELABELS, catalog, classes)
        if found := sampled(sample, record.answers, ledger).share:
            share, low, high = found
            return Noise(share, (low, high), shown)
    return Noise(None if expected == AUTO else float(expected), None, shown)


def _alpha() -> tuple[float, tuple[float, float] | None] | None:
    path = paths.metrics_of("evaluate")
    found = read_json(path).get("raters", {}).get("alpha") if path.exists() else None
    return found and (found["value"], found["interval"] and tuple(found["interval"]))
