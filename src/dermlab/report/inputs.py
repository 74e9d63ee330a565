"""All that a run's report is written from: tables and metrics of the stages before it, read once and checked."""

from dataclasses import dataclass

import pandas as pd

from dermlab.data.json_files import read_json
from dermlab.data.rows import read_rows
from dermlab.data.shards import Shards
from dermlab.data.tables import FLAGS, LEARNT, MANIFEST, PREDICTIONS, QUARANTINE, TRUTH, read_table
from dermlab.report.params import Params
from dermlab.run import paths

METRICS = ("flag", "manifest", "train", "evaluate", "headline")


@dataclass(frozen=True)
class Inputs:
    params: Params
    rows: pd.DataFrame  # as `rows.read_rows`
    quarantine: pd.DataFrame
    flags: pd.DataFrame
    manifest: pd.DataFrame
    learnt: pd.DataFrame
    predictions: pd.DataFrame
    truth: pd.DataFrame
    metrics: dict[str, dict]  # the metrics files by name. `truth` has no row where the source does not know it
    shards: Shards


def read_inputs(params: Params) -> Inputs:
    """Raises ContractError where a file is missing or breaks its schema."""
    return Inputs(
        params=params,
        rows=read_rows(),
        quarantine=read_table(paths.QUARANTINE, QUARANTINE),
        flags=read_table(paths.FLAGS, FLAGS),
        manifest=read_table(paths.MANIFEST, MANIFEST),
        learnt=read_table(paths.LEARNT, LEARNT),
        predictions=read_table(paths.PREDICTIONS, PREDICTIONS),
        truth=read_table(paths.TRUTH, TRUTH),
        metrics={name: read_json(paths.metrics_of(name)) for name in METRICS},
        shards=Shards(paths.SHARDS),
    )
