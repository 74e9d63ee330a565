"""What is known of these data and of the network that params.yaml names, from the files that are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dermlab.data.classes import OTHER, read_classes
from dermlab.data.current import is_of_the_source
from dermlab.data.json_files import read_json
from dermlab.data.ledger import read_ledger
from dermlab.data.reviews import read_record
from dermlab.data.tables import CASE, CATALOG, read_table
from dermlab.review.sample import read_sample
from dermlab.review.sampled import sampled
from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.git import git
from dermlab.run.params import changed_params, check_params, check_params_text, flat

EXPECTED, AUTO = "flag.expected_noise", "auto"


@dataclass(frozen=True)
class Noise:
    """Which share of the training labels is wrong."""

    share: float | None = None  # None: not known
    interval: tuple[float, float] | None = None  # 95 %, where a review of rows drawn by chance found it
    at_least: float | None = None  # what the labels show by themselves
    waiting: tuple[int, int] | None = None  # rows drawn by chance that wait for an answer, and how many were drawn; None where none waits


@dataclass(frozen=True)
class Facts:
    params: Mapping[str, Any]  # by dotted key, as params.yaml is now
    noise: Noise
    rows: Mapping[str, int]  # training rows of each target class that has any, the most first; empty without a catalog
    cases: int  # of all splits
    of_several: int  # of them: of two photos or more that bear one label
    by_patient: bool  # no patient has two cases: mostly, nobody knows cases
    several_labels: bool  # photos that raters labelled differently
    alpha: tuple[float, tuple[float, float] | None] | None  # Krippendorff's, of the test cases' raters, with its 95 % interval
    missing: Mapping[str, str]  # what is not known -> how to make the file it stands in
    uncommitted: tuple[str, ...] = ()  # params that are not as committed, from where a study starts

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
        """Classes from which the guard lets `cleaned` drop no row."""
        least, most = self.params["manifest.min_count"], self.params["manifest.max_drop"]
        return sum(rows <= least or int(rows * most + 1e-9) == 0 for rows in self.rows.values())


def read_facts() -> Facts:
    """Raises DermlabError where a file breaks its contract; one that is not there is missing."""
    raw = check_params()
    params = flat(raw)
    missing = {}
    if not (paths.SOURCE / "source.json").exists():
        pinned = Path(f"{paths.SOURCE}.dvc")  # by whoever committed it
        pull = f"`dvc pull {pinned}` where you may read its remote, else " if pinned.exists() else ""
        missing["the source"] = f"{pull}`dermlab lock SOURCE`"
    catalog = read_table(paths.CATALOG, CATALOG) if paths.CATALOG.exists() else None
    if catalog is not None and not is_of_the_source(catalog):
        catalog = None
    if catalog is None:
        missing["classes, cases and raters"] = "`dvc repro catalog`"
    if catalog is None or not paths.metrics_of("flag").exists():  # flags of another source say nothing of this one either
        missing["what the labels show by themselves"] = "`dvc repro flag`"
    noise, uncommitted = _noise(params[EXPECTED], catalog), _uncommitted(raw)
    if catalog is None:
        return Facts(params, noise, {}, 0, 0, False, False, None, missing, uncommitted)
    several_labels = "labels" in catalog and bool(catalog["labels"].notna().any())
    if several_labels and not paths.metrics_of("evaluate").exists():
        missing["how far raters agree"] = "`dvc exp run`"
    labels = catalog.loc[(catalog["split"] == "train") & (catalog["label"] != OTHER), "label"]
    photos = catalog.groupby(CASE)["label"].agg(["size", "nunique"])
    return Facts(
        params=params,
        noise=noise,
        rows={str(name): int(rows) for name, rows in labels.value_counts().items()},
        cases=len(photos),
        of_several=int(((photos["size"] > 1) & (photos["nunique"] == 1)).sum()),
        by_patient=len(photos) == catalog["patient_id"].nunique(),
        several_labels=several_labels,
        alpha=_alpha(),
        missing=missing,
        uncommitted=uncommitted,
    )


def _uncommitted(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys in which they differ from the params.yaml of the last commit; none where none is to be had that is valid."""
    try:
        return tuple(changed_params(check_params_text(git("show", f"HEAD:{paths.PARAMS}", check=False)), params))
    except DermlabError:
        return ()


def _noise(expected: float | str, catalog: pd.DataFrame | None) -> Noise:
    """The surest that there is: as a sampled review found, as params.yaml says, as the labels show. expected: the param EXPECTED."""
    said, waiting = None if expected == AUTO else float(expected), None
    if catalog is None:
        return Noise(said)
    path = paths.metrics_of("flag")
    shown = ((read_json(path).get("noise") or {}) if path.exists() else {}).get("at_least")
    if (paths.SOURCE / "classes.json").exists() and (sample := read_sample()) is not None:
        classes = read_classes()
        record, ledger = read_record(catalog, classes), read_ledger(paths.RELABELS, catalog, classes)
        found = sampled(sample, catalog, record.answers, ledger)
        if found.estimate:
            share, low, high = found.estimate
            return Noise(share, (low, high), shown)
        waiting = (found.waiting, len(sample)) if found.waiting else None
    return Noise(said, None, shown, waiting)


def _alpha() -> tuple[float, tuple[float, float] | None] | None:
    path = paths.metrics_of("evaluate")
    found = (read_json(path).get("raters") or {}).get("alpha") if path.exists() else None
    return found and (found["value"], found["interval"] and tuple(found["interval"]))
