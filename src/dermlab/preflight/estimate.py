"""Hours, dollars and bytes of a recipe, from counts and speeds alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from dermlab.pull.budget import stored_bytes
from dermlab.report.render import in_points
from dermlab.verdict.power import expected

# What the field measured: MedSigLIP at 448 px, bf16, batch 64, one H100; 118,785 images took 512 s forward and 1,735 s with training.
FIELD = ("medsiglip", 448)
FIELD_SPEEDS = (118785 / 512, 118785 / 1735)  # images/s without and with training
# From the hours of the epochs to those of the bill: the field's 10,922 s of epochs became 5 hours with setup, transfers and evaluation.
OVERHEAD = 5 / ((512 + 6 * 1735) / 3600)
GO, NO, LOOK = "go", "NO", "look"


@dataclass(frozen=True)
class Check:
    what: str
    result: str  # go, NO (stops the recipe) or look (a person should know)
    said: str


@dataclass(frozen=True)
class Work:
    images: int  # all that are pulled
    # `train_rows`, `test_rows`: of one experiment
    train_rows: int
    test_rows: int
    originals: float  # bytes
    test_patients: int = 0  # 0: not known
    speeds: tuple[float, float] | None = None  # images/s without and with training on this machine, None where nobody measured
    measured: str = ""  # who did


def held_out_fold_rows(values: Mapping[str, Any], work: Work) -> int:
    """Training rows of the held-out fold, which an experiment predicts and does not train on."""
    _, is_fold, folds = str(values.get("manifest.held_out", "none")).partition("/")
    return round(work.train_rows / int(folds)) if is_fold else 0


def hours_of(experiments: Sequence[Mapping[str, Any]], work: Work) -> tuple[float, float]:
    """Least and likely hours of all experiments: each image is embedded once; each experiment fine-tunes its epochs and is tested."""
    still, training = work.speeds
    seconds = work.images / still
    for values in experiments:
        held_out_fold = held_out_fold_rows(values, work)
        steps = (work.train_rows - held_out_fold) // values["train.batch_size"] * values["train.batch_size"]
        seconds += values["train.finetune_epochs"] * steps / training + (work.test_rows + held_out_fold) / still
    return seconds / 3600, seconds / 3600 * OVERHEAD


def time_and_money(experiments: Sequence[Mapping[str, Any]], work: Work, usd: float, max_hours: float, max_usd: float) -> list[Check]:
    batch, rows = experiments[0]["train.batch_size"], work.train_rows - held_out_fold_rows(experiments[0], work)
    steps, left = divmod(rows, batch)
    said = f"{rows:,} rows at batch {batch}: {steps:,} an epoch; {left} rows wait for the next (never a batch of one)"
    checks = [Check("steps", GO, said)]
    if work.speeds is None:
        said = "no speed is known for this backbone at this size; time an epoch there and give it as --epoch-seconds"
        return [*checks, Check("hours", LOOK, said)]
    low, high = hours_of(experiments, work)
    one = hours_of(experiments[:1], work)[0]
    said = (
        f"{low:.1f} to {high:.1f} h for {len(experiments)} experiments ({one:.1f} h the first; {work.speeds[0]:.0f} images/s embedded, "
        f"{work.speeds[1]:.0f} trained, {work.measured}; the upper end adds what setup and transfers added in the field)"
    )
    over = max_hours and high > max_hours
    checks.append(Check("hours", NO if over else GO, said + (f"; more than machine.max_hours = {max_hours:g}" if over else "")))
    if max_usd and not usd:
        said = f"machine.max_usd = {max_usd:g}, and nobody said what an hour costs: machine.usd_per_hour, or --usd-per-hour"
        checks.append(Check("dollars", NO, said))
    elif usd:
        over = max_usd and high * usd > max_usd
        money = f"${low * usd:,.0f} to ${high * usd:,.0f} at ${usd:g} an hour"
        checks.append(Check("dollars", NO if over else GO, money + (f"; more than machine.max_usd = {max_usd:g}" if over else "")))
    return checks


def disk(work: Work, image_size: int, free: float) -> Check:
    """Originals are never on the disk: shards and the parts that they are made of are."""
    each = stored_bytes(image_size)
    need = 2 * work.images * (min(each, work.originals / work.images) if work.images and work.originals else each)
    fits = "would not fit and are" if work.originals > free else "are"
    said = (
        f"{_size(need, 1)} for {work.images:,} photos of {image_size} px, twice while shards are made; {_size(free)} free. The "
        f"originals, {_size(work.originals)}, {fits} not kept: no mount needed"
    )
    if need <= free:
        return Check("disk", GO, said)
    smaller = int(image_size * (free / (2 * work.images * each)) ** 0.5)  # of shards alone: originals as small as that are not known
    return Check("disk", NO, f"{said}; it fits with pull.image_size={smaller}")


def _size(of: float, digits: int = 0) -> str:
    return f"{of / 1e9:,.{digits}f} GB" if of >= 1e9 else f"{of / 1e6:,.1f} MB"


def evidence(experiments: Sequence[Mapping[str, Any]], work: Work) -> Check:
    """Whether what is bought can answer the question."""
    if folds := sum(values["manifest.held_out"] != "none" for values in experiments):
        return Check("evidence", GO, f"no recipes are compared: {folds} networks predict training rows that they have not seen")
    seeds = len({values["seed"] for values in experiments})
    tested = max(work.test_patients or work.test_rows, 1)
    told = in_points(expected(tested).tells(seeds, tested))
    whom = f"{tested:,} test patients" if work.test_patients else f"{tested:,} test photos, each of another patient,"
    said = f"on {whom} that tells {told} of top-1 apart, four times in five (`dermlab power`)"
    if seeds > 1:
        return Check("evidence", GO, f"{seeds} seeds a recipe: {said}")
    return Check(
        "evidence", LOOK,
        f"one seed each: {said}. `dermlab study NAME --until-decided` buys seeds until the question is answered, and `medsiglip-scout` "
        "compares frozen heads over three seeds first, for the price of one embedding",
    )  # fmt: skip


def deletion(experiments: Sequence[Mapping[str, Any]]) -> Check | None:
    """The field paid for a retraining on what confident learning had left, and rare classes got worse."""
    guarded = TypeAdapter(bool)  # params.yaml says `off`, which is a word
    naive = [v for v in experiments if v["flag.probs"] == "in_sample" or not guarded.validate_python(v["manifest.guard"])]
    if not any({"cleaned", "agreed"} & set(v["variant"].split("+")) for v in naive):
        return None
    said = "an experiment drops rows flagged in-sample, or without the guard: in the field that made rare classes worse"
    return Check("cleaning", LOOK, said)
