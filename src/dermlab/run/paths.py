"""Where every artefact of the contract lies, relative to the repository root. DVC sees by itself where one moves."""

from pathlib import Path

PARAMS = Path("params.yaml")

SOURCE = Path("data/source")
LOCATION = Path("data/.location")  # where the source lies on this machine; in no hash, in no commit
KEYS = Path("data/.keys.json")  # which key each pseudonym stands for, where the source was locked under pseudonyms; likewise
CATALOG = Path("data/catalog.parquet")
WANTED = Path("data/wanted.parquet")
IMAGES = Path("data/images.parquet")
SHARDS = Path("data/shards")
QUARANTINE = Path("data/quarantine.parquet")
TRUTH = Path("data/truth.parquet")
EMBEDDINGS = Path("data/embeddings")
FLAGS = Path("data/flags.parquet")
RELABELS = Path("data/relabels.csv")
REVIEWS = Path("data/reviews.csv")  # what readers said, from which RELABELS is concluded; no stage reads it
READERS = Path("data/readers.csv")
SAMPLE = Path("data/sample.csv")  # rows drawn to estimate how many labels are wrong, in git; no stage reads it
NOT_COPIES = Path("data/not-copies.csv")
GROUPS = Path("data/groups.csv")  # of classes, in git
MANIFEST = Path("data/manifest.parquet")
MODEL = Path("models/model")
VALIDATION = Path("data/validation")  # what the network makes of the validation split
MODEL_CARD = MODEL / "README.md"
LEARNT = Path("data/learnt.parquet")  # what it predicted of each training row in each epoch of its training
OUTPUTS = Path("data/outputs.safetensors")  # what it makes of the test split, before calibration
PREDICTIONS = Path("data/predictions.parquet")
HELD_OUT = Path("data/held-out.parquet")
OUT_OF_FOLD = Path("data/oof.parquet")  # joined from several experiments; an out of no stage
REPORT_HTML = Path("data/report.html")
REPORT_MD = Path("data/report.md")
COMPARISON = Path("data/comparison.html")
REVIEW = Path("data/review.html")
PAIRS = Path("data/pairs.html")
AGREEMENT = Path("data/agreement.html")

METRICS = Path("metrics")
HEADLINE = METRICS / "headline.json"
F1 = METRICS / "f1.json"
CASE = METRICS / "case.json"  # the headline by case; empty where each case is one photo

TRAIN_LOG = Path("data/train-log.jsonl")  # what training cost; in no hash, in no commit
CHECKPOINTS = Path(".checkpoints")


def metrics_of(stage: str) -> Path:
    """The one metrics file of a stage, `metrics/<stage>.json`."""
    return METRICS / f"{stage}.json"
