"""Whether a learnt pooling of the photos of a case is worth having: gated attention over their features, against the mean of the photos'
log-probabilities that dermlab takes.

Both are one network on the frozen features of the phantom clinic: a hidden layer of 128, to which the questionnaire joins, and the classes;
both take as many steps of as many rows. Ours is trained on photos, and its answers are put together as `calibrate.pool=logmean` does; the
peer is trained on cases, whose hidden vectors gated attention sums (Ilse, Tomczak & Welling 2018, Attention-based Deep Multiple Instance
Learning, eq. 9), the questionnaire once a case. Five seeds each; the difference of top-1 by case is judged as any two recipes are. Goal:
attention is not better, for else it is to be offered. Also the time of its epoch of 100,000 cases of four photos, 1,152 features each.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from flags import Source, _catalog
from harness import parser_of, record, seconds
from torch import nn

from dermlab.calibrate.cases import fit_independence
from dermlab.catalog.build import build_catalog
from dermlab.data.classes import Classes
from dermlab.data.tables import CASE
from dermlab.evaluate.build import predictions_table
from dermlab.flag.probabilities import power_normalised
from dermlab.model.questionnaire import encode
from dermlab.scores.cases import LOGMEAN, Pooling, of_one_label
from dermlab.scores.predictions import case_predictions
from dermlab.verdict.judge import judge
from dermlab.verdict.question import Question
from dermlab.verdict.tested import Run

HIDDEN, STEPS, BATCH = 128, 600, 256
SEEDS = (17, 18, 19, 20, 21)
LARGE = 100_000, 4, 1_152  # cases, photos, features


class Pooled(nn.Module):
    """Photos [B, P, D] with `there`, bool [B, P], and answers [B, Q] of their case, to logits [B, C]."""

    def __init__(self, features: int, answers: int, classes: int) -> None:
        super().__init__()
        self.photo = nn.Sequential(nn.Linear(features, HIDDEN), nn.ReLU(), nn.Dropout(0.2))
        self.value, self.gate, self.weight = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 1)
        self.head = nn.Linear(HIDDEN + answers, classes)

    def forward(self, photos: torch.Tensor, there: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        hidden = self.photo(photos)
        score = self.weight(torch.tanh(self.value(hidden)) * torch.sigmoid(self.gate(hidden))).squeeze(-1)
        attention = torch.softmax(score.masked_fill(~there, -torch.inf), dim=1)
        return self.head(torch.cat([(attention[..., None] * hidden).sum(1), answers], dim=1))


@dataclass(frozen=True)
class Bags:
    """Cases, or photos as cases of one."""

    photos: torch.Tensor  # float [N, D], those of a bag beside each other
    first: torch.Tensor  # int [B]
    size: torch.Tensor  # int [B]
    answers: torch.Tensor  # [B, Q]
    labels: torch.Tensor  # int [B]

    def batch(self, bags: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        size = self.size[bags]
        at = torch.arange(int(size.max()))[None]
        there = at < size[:, None]
        return self.photos[(self.first[bags][:, None] + at).clamp(max=len(self.photos) - 1)], there, self.answers[bags]


def bags_of(features: np.ndarray, answers: np.ndarray, labels: np.ndarray, names: np.ndarray) -> Bags:
    """names: str [N], rows of one name are one bag; sorted."""
    _, first, size = np.unique(names, return_index=True, return_counts=True)
    as_tensors = (torch.from_numpy(of) for of in (features, first, size, answers[first], labels[first]))
    return Bags(*as_tensors)


def trained(bags: Bags, classes: int, seed: int, steps: int) -> Pooled:
    torch.manual_seed(seed)
    network, batch = Pooled(bags.photos.shape[1], bags.answers.shape[1], classes), min(BATCH, len(bags.first) // 4)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = torch.cat([torch.randperm(len(bags.first)) for _ in range(1 + steps * batch // len(bags.first))])
    for chosen in order[: steps * batch].split(batch):
        loss = nn.functional.cross_entropy(network(*bags.batch(chosen)), bags.labels[chosen], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def probabilities_of(network: Pooled, bags: Bags) -> np.ndarray:
    parts = torch.arange(len(bags.first)).split(BATCH)
    return torch.cat([torch.softmax(network(*bags.batch(part)), dim=1) for part in parts]).double().numpy()


def runs_of(seed: int, rows: pd.DataFrame, features: np.ndarray, answers: np.ndarray, classes: Classes, steps: int) -> tuple[Run, Run]:
    """Ours and the peer, a row a case of the test split. rows: sorted by case."""
    labels, splits = classes.encode(rows["label"]), rows["split"].to_numpy()
    inside = {split: np.flatnonzero(splits == split) for split in ("train", "val", "test")}
    photo, case = rows["image_id"].to_numpy(str), rows[CASE].to_numpy(str)

    def of(split: str, names: np.ndarray) -> Bags:
        order = inside[split][np.argsort(names[inside[split]], kind="stable")]
        return bags_of(features[order], answers[order], labels[order], names[order])

    by_photo = {split: rows.iloc[inside[split]].sort_values("image_id") for split in inside}
    network = trained(of("train", photo), len(classes.names), seed, steps)
    probs = {split: probabilities_of(network, of(split, photo)) for split in ("val", "test")}
    validation = classes.encode(by_photo["val"]["label"]), probs["val"], by_photo["val"][CASE].to_numpy(str)
    pooling = Pooling(LOGMEAN, fit_independence(*validation))
    ours = case_predictions(predictions_table(by_photo["test"], probs["test"], classes), pooling)
    attention = trained(of("train", case), len(classes.names), seed, steps)
    first = rows.iloc[inside["test"]].sort_values([CASE, "image_id"]).drop_duplicates(CASE)
    theirs = predictions_table(first, probabilities_of(attention, of("test", case)), classes)
    counts = rows.loc[splits == "train", "label"].value_counts().to_dict()
    run = Run("mean", ours.sort_values("image_id", ignore_index=True), {"pool": "mean", "seed": seed}, counts)
    return run, replace(
        run, name="attention", predictions=theirs.sort_values("image_id", ignore_index=True), params={"pool": "attention", "seed": seed}
    )


def an_epoch(quick: bool) -> float:
    cases, photos, width = (1_000, *LARGE[1:]) if quick else LARGE
    features = torch.randn(cases * photos, width, dtype=torch.float16).float() if quick else torch.randn(cases * photos, width)
    bags = Bags(features, torch.arange(cases) * photos, torch.full((cases,), photos), torch.zeros(cases, 40), torch.randint(26, (cases,)))
    return seconds(lambda: trained(bags, 26, 0, cases // BATCH))


def main() -> None:
    options = parser_of(__doc__).parse_args()
    options.source, options.noise, options.pixels, options.input = "phantom", None, None, None
    steps, seeds = (20, SEEDS[:2]) if options.quick else (STEPS, SEEDS)
    with tempfile.TemporaryDirectory() as folder:
        source = Source(options, SEEDS[0], Path(folder))
        catalog = build_catalog(source.pin, _catalog(options, SEEDS[0])).catalog.merge(source.images[["image_id"]], on="image_id")
        rows = catalog[of_one_label(catalog["label"].to_numpy(str), catalog[CASE].to_numpy(str))]
        rows = rows.sort_values([CASE, "image_id"], ignore_index=True)
        features = power_normalised(source.embeddings.of(rows["image_id"])).astype(np.float32)
        answers = encode(rows, source.pin.questions).astype(np.float32)
        runs = [runs_of(seed, rows, features, answers, source.pin.classes, steps) for seed in seeds]
    verdict = judge([run for run, _ in runs] + [run for _, run in runs], Question())
    recipe, means = (
        verdict.judged[0],
        {name: 100 * of.mean["top1"] for name, of in zip(("mean", "attention"), verdict.recipes, strict=True)},
    )
    told = {
        score: {"points": round(100 * d.delta, 1), "interval": d.bounds and [round(100 * end, 1) for end in d.bounds], "verdict": d.verdict}
        for score, d in recipe.differences.items()
        if score in ("top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall")
    }
    better = told["top1"]["verdict"] == "better"
    record(
        "attention", means["mean"], {"gated attention": means["attention"]}, "% top-1 by case", 1, ("numpy", "torch"),
        ratio=means["mean"] / means["attention"], keep=not options.quick, met=not better, missed=["the mean"] if better else [],
        cases=verdict.images, seeds=len(seeds), attention_minus_mean=told, seconds_an_epoch=round(an_epoch(options.quick), 1),
    )  # fmt: skip


if __name__ == "__main__":
    main()
