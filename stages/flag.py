"""flag: which training labels look wrong, which photos are odd, copies, or leaks. Questions to a person, not verdicts.

Reads   data/source/ (classes, questionnaire), data/catalog.parquet, data/images.parquet, data/embeddings/, data/not-copies.csv; the
        backbone's text tower, if it has one
Writes  data/flags.parquet (training images only), metrics/flag.json
Run     dvc repro flag        (the naive way, to study it: dvc exp run -S flag.probs=in_sample)
"""

from dermlab.data.classes import read_classes
from dermlab.data.embeddings import read_embeddings
from dermlab.data.json_files import write_json
from dermlab.data.not_copies import read_not_copies
from dermlab.data.questionnaire import read_questionnaire
from dermlab.data.rows import read_rows
from dermlab.data.tables import FLAGS, write_table
from dermlab.flag.build import build_flags
from dermlab.flag.garbage import not_skin_scorer
from dermlab.flag.params import Params
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.params import read_params
from dermlab.run.progress import say


def main() -> None:
    params = read_params(Params)
    not_skin = not_skin_scorer(params.backbone, params.flag)
    rows, classes, questions = read_rows(), read_classes(), read_questionnaire()
    flags, numbers = build_flags(rows, read_embeddings(), classes, questions, params.flag, not_skin, read_not_copies())
    write_table(paths.FLAGS, flags, FLAGS)
    write_json(paths.metrics_of("flag"), numbers)
    say(
        f"flag: {numbers['flagged']} of {numbers['rows']} training rows flagged ({numbers['flagged_rate']:.1%}, {params.flag.probs} "
        f"probabilities), {numbers['duplicates']} duplicates, {numbers['leaks']} leaks into val or test"
    )
    if (noise := numbers["noise"]) and noise["at_least"] is not None:
        say(
            f"      at least {noise['at_least']:.1%} of all labels are wrong, flagged or not; "
            "`dermlab review --sample 100` would tell how many"
        )
    if in_both := numbers["copies_between"]["val-test"]:
        say(f"      {in_both} photo(s) are in val and in test; both stay, since nothing is trained on either")
    for name, patients in numbers["small_classes"].items():
        say(f"      {name}: {patients} patient(s), fewer than the {params.flag.folds} folds; its flags mean little")


if __name__ == "__main__":
    run_command(main)
