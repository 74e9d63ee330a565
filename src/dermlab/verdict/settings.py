"""How many resamples stand behind an interval, and bins behind a calibration: as params.yaml says, which is not everywhere."""

from dermlab.report.params import EvaluateShown, Params
from dermlab.run import paths
from dermlab.run.params import read_params

ELSEWHERE = EvaluateShown(ece_bins=15, bootstrap=10_000)  # as this repository began with; a test compares


def scoring() -> EvaluateShown:
    """In a folder without params.yaml, as where predictions of another project are scored, ELSEWHERE. Raises ParamsError."""
    return read_params(Params).evaluate if paths.PARAMS.exists() else ELSEWHERE
