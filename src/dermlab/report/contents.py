"""What a run's report says, as plain values for the templates: every sentence with a number in it is made here."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER
from dermlab.data.tables import SPLITS
from dermlab.report import gaps, groups, memorised, sentences, sets
from dermlab.report.balance import BalancePoint, balance_curve
from dermlab.report.examples import ConfidentError, Example, confident_errors, examples
from dermlab.report.inputs import Inputs
from dermlab.report.params import Params
from dermlab.report.render import score
from dermlab.report.scored import ClassScores, Scored, score_predictions
from dermlab.report.training_rows import TrainingCounts, flag_counts, training_counts
from dermlab.report.truth import score_flags
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.scores.calibration import calibration_bins
from dermlab.scores.cases import Pooling
from dermlab.scores.counts import confusion
from dermlab.scores.headline import HEADLINE
from dermlab.scores.one_vs_rest import one_vs_rest, precision_recall
from dermlab.scores.predictions import UNKNOWN_PATIENTS, case_predictions, knows_patients, target_names

WORST = 15  # confusions listed
TOLERANCE = 0.5e-4 + 1e-9  # between a score as written, to four digits, and as counted here
OF_ONE_FILE = r" \(\d+ bytes not processed\)"  # what a reason says of one file, and no two say alike


@dataclass(frozen=True)
class ClassRow(ClassScores):
    """A class in the test split and in training."""

    against_others: dict[str, float]  # as of `one_vs_rest`
    curve: list[tuple[float, float]]  # precision over recall
    training: TrainingCounts


@dataclass(frozen=True)
class Report:
    params: Params
    verdict: str
    caution: str
    facts: dict[str, str]
    settings: dict[str, str]
    rows: dict[str, tuple[int, int]]
    quarantine: dict[str, int]
    images: int
    patients: int
    headline: dict[str, tuple[float, tuple[float, float] | None]]  # score -> (value, 95 % interval, None with too few patients)
    cases: dict[str, tuple[float, tuple[float, float] | None]]  # the headline by case; empty where each case is one photo
    cases_lead: str
    photos: list[dict[str, Any]]  # what each further photo of a case gains
    raters_lead: str
    extras: list[str]
    balance: list[BalancePoint]
    balance_lead: str
    selective: dict[str, Any]
    selective_lead: str
    unfamiliar: str
    sets: dict[str, Any]  # as of `evaluate.sets`; empty where validation could choose none
    sets_lead: str
    groups_found: list[str]  # what is found of each group of classes; empty without any
    groups: list[dict[str, Any]]  # as `groups.rows`
    classes: list[ClassRow]
    classes_lead: str
    sink: str
    confusion: tuple[list[str], list[list[int]]]  # classes by support, and the counts in that order
    confusion_lead: str
    worst: list[dict[str, Any]]
    subgroups: list[dict[str, Any]]  # as of `evaluate.subgroups`, a score None where it has no interval
    subgroups_lead: str
    gaps: dict[str, Any]  # as of `evaluate.gaps`
    gaps_lead: str
    refused_groups: list[dict[str, Any]]  # as of `evaluate.gaps.unfamiliar_by_group`
    refused: str
    errors: list[ConfidentError]
    calibration: list[dict[str, float]]
    calibration_lead: str
    cleaning_lead: str
    flags: dict[str, Any]
    issues_lead: str
    noise_lead: str
    memorised: dict[str, Any]  # as `memorised.by_epoch`
    memorised_lead: str
    truth: dict[str, Any]
    examples: list[Example]

    @property
    def glance(self) -> list[tuple[str, float, Any]]:
        """What the first figure shows: shares of the headline, of groups of classes and of sets, with their intervals."""
        shown = {"top1": "likeliest is right", "top3": "right among three", "rare_recall": "rare classes found"}
        found = [(name, *self.headline[score]) for score, name in shown.items() if self.headline[score][1]]
        found += [
            (f"{row['group']} found", row["sensitivity"], row["sensitivity_interval"])
            for row in self.groups
            if row["by"] == "photo" and "sensitivity" in row
        ]
        if self.sets and self.sets["all"]["interval"]:
            found.append(("in its set", self.sets["all"]["coverage"], self.sets["all"]["interval"]))
        return found

    @property
    def worst_gaps(self) -> list[dict[str, Any]]:
        return gaps.worst(self.gaps)

    @property
    def gaps_reach(self) -> float:
        """Half the width of the plots of gaps, the same for all."""
        return max([0.01, *(abs(end) for group in self.gaps["groups"] if group["interval"] for end in group["interval"])])

    @property
    def sets_not_promised(self) -> str:
        return sets.NOT_PROMISED

    @property
    def memorised_names(self) -> tuple[str, str]:
        return memorised.names(self.memorised)

    @property
    def cleaned(self) -> list[ClassRow]:
        """The classes from which a row was dropped, or would have been but for the guard."""
        return [row for row in self.classes if row.training.dropped or row.training.saved or row.training.dropped_by_review]

    @property
    def shared(self) -> list[ClassRow]:
        """The classes of which rows are trained towards other labels too, or to which rows of others are."""
        return [row for row in self.classes if row.training.shared or row.training.received]

    @property
    def numbers(self) -> dict:
        """What `metrics/report.json` holds."""
        bounds = {name: {"low": b[0], "high": b[1]} for name, (_, b) in self.headline.items() if b}
        f1 = {row.name: {"low": row.f1_bounds[0], "high": row.f1_bounds[1]} for row in self.classes if row.f1_bounds}
        test = {"images": self.images, "patients": self.patients, "bootstrap": self.params.evaluate.bootstrap}
        return {**test, "intervals": bounds, "f1_intervals": f1, "truth": self.truth, "memorised": self.memorised}


def contents(inputs: Inputs) -> Report:
    """The report of one run, counted from its tables; the metrics give what the tables cannot. Raises ContractError where the
    predictions hold nothing to score."""
    params, metrics = inputs.params, inputs.metrics
    targets = target_names(inputs.predictions)
    training = training_counts(inputs.rows, inputs.flags, inputs.manifest, targets, metrics["manifest"])
    before = {name: counts.before for name, counts in training.items()}
    found = score_predictions(inputs.predictions, before, params.evaluate.bootstrap, params.seed)
    scored, labels, probs, rare, sink, patients = found.rows, found.labels, found.probs, found.rare, found.sink, found.patients
    _check_headline(metrics["headline"], found.headline)
    with_bounds = {name: (metrics["headline"].get(name, math.nan), bounds) for name, (_, bounds) in found.headline.items()}
    classes = _classes(found, training)
    adjustment, temperature = metrics["evaluate"].get("adjustment", {}), metrics["evaluate"].get("temperature", 1.0)
    balance = balance_curve(scored, adjustment, temperature, params.evaluate.bootstrap, params.seed)
    names = [row.name for row in classes]
    order = [targets.index(name) for name in names]
    counts = confusion(labels, probs.argmax(axis=1), len(targets))[np.ix_(order, order)]
    learnt = memorised.by_epoch(inputs.learnt, inputs.flags, inputs.manifest, inputs.truth)
    bins = calibration_bins(labels, probs, params.evaluate.ece_bins)
    return Report(
        params=params,
        verdict=sentences.verdict(params, with_bounds["top1"], len(scored), patients),
        caution=sentences.CAUTION if knows_patients(scored) else f"{UNKNOWN_PATIENTS} {sentences.CAUTION}",
        facts=_facts(inputs, patients),
        settings=settings(params),
        rows=_rows(inputs.manifest),
        quarantine=inputs.quarantine["reason"].str.replace(OF_ONE_FILE, "", regex=True).value_counts().sort_index().to_dict(),
        images=len(scored),
        patients=patients,
        headline=with_bounds,
        cases=_cases(inputs, before),
        cases_lead=sentences.cases(metrics["evaluate"].get("cases", {})),
        photos=metrics["evaluate"].get("cases", {}).get("photos", []),
        raters_lead=sentences.raters(metrics["evaluate"].get("raters", {})),
        extras=[
            *sentences.extras(metrics["evaluate"], metrics["headline"], [row.name for row in classes if not row.support], len(scored)),
            *filter(None, [sentences.conflicts(metrics["flag"].get("conflicts", []))]),
        ],
        balance=balance,
        balance_lead=sentences.balance(adjustment, balance),
        selective=metrics["evaluate"].get("selective", {}),
        selective_lead=sentences.selective(metrics["evaluate"].get("selective", {})),
        unfamiliar=sentences.unfamiliar(metrics["evaluate"].get("unfamiliar", {})),
        groups_found=groups.findings(metrics["evaluate"].get("groups", {})),
        groups=groups.rows(metrics["evaluate"].get("groups", {})),
        sets=metrics["evaluate"].get("sets", {}),
        sets_lead=sets.lead(metrics["evaluate"].get("sets", {})),
        classes=classes,
        classes_lead=sentences.classes(classes),
        sink=sink,
        confusion=(names, counts.tolist()),
        confusion_lead=sentences.sink(sink, names, counts),
        worst=_worst(names, counts),
        subgroups=gaps.told(metrics["evaluate"].get("subgroups", [])),
        subgroups_lead=gaps.spread(metrics["evaluate"].get("subgroups", [])),
        gaps=metrics["evaluate"].get("gaps", {}),
        gaps_lead=gaps.lead(metrics["evaluate"].get("gaps", {})),
        refused_groups=metrics["evaluate"].get("unfamiliar_by_group", []),
        refused=gaps.refused(metrics["evaluate"].get("unfamiliar_by_group", []), metrics["evaluate"].get("unfamiliar", {}).get("share")),
        errors=confident_errors(scored, labels, probs, inputs.rows, inputs.shards, params.report.examples),
        calibration=bins,
        calibration_lead=sentences.calibration(bins),
        cleaning_lead=sentences.cleaning(params, training, rare, inputs.flags, inputs.manifest),
        flags=flag_counts(inputs.flags, rare),
        issues_lead=sentences.issues(inputs.flags),
        noise_lead=sentences.noise(metrics["flag"]),
        memorised=learnt,
        memorised_lead=memorised.lead(learnt, (metrics["train"].get("best_phase"), metrics["train"].get("best_epoch"))),
        truth=score_flags(inputs.flags, inputs.truth, inputs.manifest),
        examples=examples(inputs.flags, inputs.rows, inputs.truth, inputs.shards, params.report.examples),
    )


def _cases(inputs: Inputs, train_counts: Mapping[str, int]) -> dict[str, tuple[float, Any]]:
    said, params = inputs.metrics["evaluate"].get("cases"), inputs.params
    if not said:
        return {}
    by_case = case_predictions(inputs.predictions, Pooling(said["pool"], said["independence"]))
    return score_predictions(by_case, train_counts, params.evaluate.bootstrap, params.seed).headline


def settings(params: Params) -> dict[str, str]:
    """The params that shaped this run, dotted; knobs of rules and losses that were not used are left out."""
    used = params.model_dump(include={"variant", "loss", "backbone", "seed"})
    for block in ("embed", "flag", "manifest", "train", "calibrate", "evaluate"):
        used |= {f"{block}.{key}": value for key, value in getattr(params, block).model_dump().items()}
    cleaned, agreed, softened, rebalanced = (name in params.variants for name in ("cleaned", "agreed", "softened", "rebalanced"))
    by_posterior, lora = params.flag.method == "posterior", params.train.adapt == "lora"
    needs = {
        "flag.expected_noise": by_posterior,
        "flag.precision": by_posterior,
        "flag.skin_prompts": params.prompts_may_be_used,
        "flag.not_skin_prompts": params.prompts_may_be_used,
        "flag.prompt_templates": params.prompts_may_be_used,
        "manifest.guard": cleaned or agreed or softened,
        "manifest.max_drop": (cleaned or softened) and params.manifest.guard,
        "manifest.min_count": (cleaned or agreed) and params.manifest.guard,
        "manifest.rebalance": rebalanced,
        "manifest.beta": rebalanced and params.manifest.rebalance == "effective",
        "manifest.held_out": params.manifest.held_out != "none",
        "train.focal_gamma": params.loss == "focal",
        "train.logit_tau": params.loss == "logit_adjusted",
        "train.gce_q": params.loss == "gce",
        "train.elr_lambda": params.loss == "elr",
        "train.elr_beta": params.loss == "elr",
        "train.lora_rank": lora,
        "train.lora_alpha": lora,
    }
    return {key: _setting(value) for key, value in used.items() if needs.get(key, True)}


def _setting(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _facts(inputs: Inputs, patients: int) -> dict[str, str]:
    train = inputs.metrics["train"]
    facts = {
        "images pulled": f"{len(inputs.rows):,}",
        "quarantined": f"{len(inputs.quarantine):,}",
        "patients": f"{inputs.rows['patient_id'].nunique():,}",
        "patients scored": f"{patients:,}",
    }
    if "best_epoch" in train:
        phase = f", {train['best_phase']}" if "best_phase" in train else ""
        facts["best epoch" + phase] = f"{train['best_epoch']}"
    if "val_top1" in train:
        facts["validation top-1"] = score(train["val_top1"])
    if "val_macro_f1" in train:
        facts["validation macro F1"] = score(train["val_macro_f1"])
    if "temperature" in inputs.metrics["evaluate"]:
        facts["temperature"] = score(inputs.metrics["evaluate"]["temperature"], 2)
    return facts


def _check_headline(written: Mapping[str, float], counted: Mapping[str, tuple[float, Any]]) -> None:
    """An interval beside a number of another run would be worse than none."""
    for name in HEADLINE:
        if name in written and abs(written[name] - counted[name][0]) > TOLERANCE:
            raise ContractError(
                f"{paths.HEADLINE} says {name} {written[name]:.4f}, but {paths.PREDICTIONS} gives {counted[name][0]:.4f}: they are "
                "not of one run. Run `dvc repro evaluate`."
            )


def _rows(manifest: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Split -> (images, of them `other`)."""
    of = {split: manifest.loc[manifest["split"] == split, "label"] for split in SPLITS}
    return {split: (len(labels), int((labels == OTHER).sum())) for split, labels in of.items()}


def _classes(found: Scored, training: dict[str, TrainingCounts]) -> list[ClassRow]:
    """By test rows, the commonest first."""
    rows = [
        ClassRow(
            **asdict(scores), against_others=against_others, training=training[scores.name],
            curve=precision_recall(found.labels == c, found.probs[:, c]) if against_others else [],
        )
        for c, (scores, against_others) in enumerate(zip(found.classes, one_vs_rest(found.labels, found.probs), strict=True))
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row.support, -row.training.before, row.name))


def _worst(names: list[str], counts: np.ndarray) -> list[dict[str, Any]]:
    pairs = [
        {"true": names[i], "predicted": names[j], "count": int(counts[i, j]), "share": counts[i, j] / counts[i].sum()}
        for i, j in np.argwhere(counts)
        if i != j
    ]
    return sorted(pairs, key=lambda pair: (-pair["count"], pair["true"], pair["predicted"]))[:WORST]
