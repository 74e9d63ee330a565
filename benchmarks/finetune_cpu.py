"""Fine-tuning EfficientNet-Lite0 on 2,000 JPEGs of 0.7 megapixels, from the files to the best validated epoch, on this machine's cores.

Ours: what the stages pull, embed and train do, with params.yaml as it is: photos packed once at 160 px, a head on cached features, then the
last three blocks end to end. Peers, as their documentation sets them up: Hugging Face's Trainer, Lightning and a plain torch loop
fine-tune the whole network from the files, by torchvision's usual augmentation, with two loader processes. The same network and weights,
image size, batch size, epochs of fine-tuning, optimiser and schedule. Each contestant runs in a process of its own; a round is a seed.
Goal: 1.75 times the fastest peer, at a mean validation top-1 no lower than the best peer's and a memory no larger.
"""

import io
import multiprocessing
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd
import torch
from harness import apart, contestant, median_of, record, round_number, seconds
from PIL import Image

from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.run.params import read_params
from dermlab.train.params import Params
from dermlab.train.validation import validate

declare_missing_operators()
PARAMS = Path(__file__).parents[1] / "params.yaml"
TRAIN, VAL, ENLARGED, EPOCHS = 2_000, 600, 4, 2
IMAGE_SIZE, STORED_SIDE = 128, 160


@dataclass(frozen=True)
class Task:
    """`files`: one row a photo: `path`, `label`. The first rows are of training, the others of validation."""

    files: pd.DataFrame
    train: int
    names: int

    @property
    def sides(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return self.files.iloc[: self.train].reset_index(drop=True), self.files.iloc[self.train :].reset_index(drop=True)


def task(quick: bool) -> Task:
    """Photos of the phantom, four times as wide and high, as files. They are drawn once and kept among temporary files."""
    train, val = (128, 64) if quick else (TRAIN, VAL)
    folder = Path(tempfile.gettempdir()) / f"finetune-cpu-{train}-{val}-{ENLARGED}"
    table = folder / "files.parquet"
    if not table.exists():
        draw(folder, train, val).to_parquet(table)
    files = pd.read_parquet(table)
    return Task(files, train, int(files["label"].max()) + 1)


def draw(folder: Path, train: int, val: int) -> pd.DataFrame:
    from dermlab.lock.listing import Options
    from dermlab.lock.lock import lock
    from dermlab.run.objects.opening import open_objects

    folder.mkdir(parents=True, exist_ok=True)
    pin = lock("phantom", Options(images=max(400, round((train + val) * 1.05))), folder / "pin", folder / "location")
    people = pd.Series(pin.manifest["patient_id"].unique()).sample(frac=1, random_state=17).tolist()
    rows = pin.manifest.set_index("patient_id").loc[people].reset_index()  # a patient's photos stay together, training's patients first
    objects, number = open_objects((folder / "location").read_text().strip()), {name: i for i, name in enumerate(pin.classes.names)}
    kept, last = [], ""
    read = objects.some(rows["key"].tolist()).read_many(rows["key"].tolist())
    for (data, _), label, patient in zip(read, rows["diagnosis"], rows["patient_id"], strict=True):
        if len(kept) >= train and patient == last:
            continue  # photos of the last patient of training are none of validation
        try:
            image = Image.open(io.BytesIO(data)).convert("RGB")
        except (OSError, Image.DecompressionBombError):
            continue  # the phantom has files that are no photos
        path = folder / f"{len(kept):05d}.jpg"
        image.resize((image.width * ENLARGED, image.height * ENLARGED), Image.Resampling.BICUBIC).save(path, quality=90)
        kept.append((str(path), number.get(label, len(number) - 1)))
        last = patient if len(kept) <= train else last
        if len(kept) == train + val:
            break
    return pd.DataFrame(kept, columns=["path", "label"])


def params_of(seed: int) -> Params:
    params = read_params(Params, PARAMS)
    knobs = params.train.model_copy(update={"finetune_epochs": EPOCHS, "question_dropout": 0.0})
    return params.model_copy(update={"loss": "ce", "seed": seed, "train": knobs})


def ours(quick: bool) -> dict:
    from dermlab.data.classes import Classes
    from dermlab.data.shards import Shards
    from dermlab.embed.features import embed
    from dermlab.model.backbones import create_backbone, weights_digest
    from dermlab.pull.pack import pack
    from dermlab.pull.params import PullParams
    from dermlab.run.objects.files import FolderFiles
    from dermlab.train.inputs import Inputs, Rows, drawn_counts
    from dermlab.train.run import run

    photos, params = task(quick), params_of(17 + round_number())
    classes = Classes(tuple(f"c{k}" for k in range(photos.names - 1)))
    root = Path(photos.files["path"].iat[0]).parent
    keys = photos.files["path"].map(lambda path: Path(path).name)
    wanted = pd.DataFrame({"image_id": keys.str.removesuffix(".jpg"), "key": keys, "size": None, "etag": None})
    wanted["size"], wanted["etag"] = zip(*(FolderFiles(root).pin(key) for key in keys), strict=True)
    found = {}

    def fit() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            pulling = PullParams(image_size=STORED_SIDE, max_pixels=100_000_000, max_quarantine=0.01)
            with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
                images = pack(wanted, FolderFiles(root), pulling, executor, None, folder / "shards", folder / "parts").images
            shards = Shards(folder / "shards")
            backbone = create_backbone("lite0", IMAGE_SIZE)
            features, _ = embed(backbone, images, shards, IMAGE_SIZE, 64, checkpoints=folder / "checkpoints")
            sides = []
            for side in photos.sides:
                ids = side["path"].map(lambda path: Path(path).stem)
                table = pd.DataFrame({"image_id": ids}).merge(images[["image_id", "shard", "row"]], on="image_id", validate="one_to_one")
                n = len(table)
                labels = side["label"].to_numpy()
                targets = np.eye(photos.names, dtype=np.float32)[labels]
                sides.append(Rows(table, labels, np.ones(n, np.float32), np.zeros((n, 0), np.float32), features.of(ids), targets))
            counts = drawn_counts(sides[0].targets, sides[0].weights)
            inputs = Inputs(*sides, classes, (), shards, IMAGE_SIZE, counts, {}, weights_digest(backbone), STORED_SIDE)
            found.update(run(params, inputs, folder / "model", folder / "live", folder / "checkpoints"))

    return {"seconds": seconds(fit), "top1": found["val_top1"], "phase": found["best_phase"]}


def top1_of(logits: torch.Tensor | np.ndarray, labels: torch.Tensor | np.ndarray) -> float:
    """As ours is scored: over the rows of the target classes."""
    return validate(np.asarray(logits, np.float32), np.asarray(labels)).top1


class Files(torch.utils.data.Dataset):
    """Photos of a table by torchvision's usual views: for training a random crop, flips, a little other light."""

    def __init__(self, files: pd.DataFrame, training: bool) -> None:
        from torchvision.transforms import v2

        self.paths, self.labels = files["path"].tolist(), files["label"].tolist()
        flips = [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip(), v2.ColorJitter(0.15, 0.15)]
        first = [v2.RandomResizedCrop(IMAGE_SIZE, (0.6, 1.0)), *flips] if training else [v2.Resize(146), v2.CenterCrop(IMAGE_SIZE)]
        last = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)]
        self.view = v2.Compose([*first, *last])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> dict:
        with Image.open(self.paths[row]) as image:
            return {"pixel_values": self.view(image.convert("RGB")), "labels": self.labels[row]}


def network(names: int) -> torch.nn.Module:
    import timm

    from dermlab.model.backbones import lite0_weights

    model = timm.create_model("tf_efficientnet_lite0", num_classes=names)
    kept = {name: value for name, value in lite0_weights().items() if not name.startswith("classifier.")}
    model.load_state_dict(kept, strict=False)
    return model


def loader(files: pd.DataFrame, training: bool, batch_size: int) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(Files(files, training), batch_size, shuffle=training, num_workers=2, drop_last=training)


def plain_torch(quick: bool) -> dict:
    photos, params = task(quick), params_of(17 + round_number())
    knobs = params.train
    torch.manual_seed(params.seed)
    found = []

    def fit() -> None:
        model = network(photos.names)
        training, of_validation = (loader(side, k == 0, knobs.batch_size) for k, side in enumerate(photos.sides))
        optimizer = torch.optim.AdamW(model.parameters(), lr=knobs.lr, weight_decay=knobs.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, knobs.lr, total_steps=EPOCHS * len(training), pct_start=knobs.warmup, anneal_strategy="cos"
        )
        for _ in range(EPOCHS):
            model.train()
            for batch in training:
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(batch["pixel_values"]), batch["labels"]).backward()
                optimizer.step()
                schedule.step()
            model.eval()
            with torch.inference_mode():
                said = [(model(batch["pixel_values"]), batch["labels"]) for batch in of_validation]
            found.append(top1_of(*map(torch.cat, zip(*said, strict=True))))

    return {"seconds": seconds(fit), "top1": max(found)}


def huggingface(quick: bool) -> dict:
    from transformers import Trainer, TrainingArguments

    photos, params = task(quick), params_of(17 + round_number())
    knobs = params.train

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network(photos.names)

        def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor) -> dict:
            logits = self.network(pixel_values)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    found = []

    def fit() -> None:
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder, num_train_epochs=EPOCHS, per_device_train_batch_size=knobs.batch_size, per_device_eval_batch_size=knobs.batch_size,
                learning_rate=knobs.lr, weight_decay=knobs.weight_decay, lr_scheduler_type="cosine", warmup_steps=knobs.warmup,
                eval_strategy="epoch", save_strategy="no", dataloader_num_workers=2, dataloader_drop_last=True, use_cpu=True,
                report_to="none", disable_tqdm=True, seed=params.seed,
            )  # fmt: skip
            training, of_validation = (Files(side, k == 0) for k, side in enumerate(photos.sides))
            trainer = Trainer(
                Model(), arguments, train_dataset=training, eval_dataset=of_validation,
                compute_metrics=lambda said: {"top1": top1_of(said.predictions, said.label_ids)},
            )  # fmt: skip
            trainer.train()
            found.extend(row["eval_top1"] for row in trainer.state.log_history if "eval_top1" in row)

    return {"seconds": seconds(fit), "top1": max(found)}


def lightning(quick: bool) -> dict:
    import logging

    import lightning as L

    photos, params = task(quick), params_of(17 + round_number())
    knobs = params.train
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    found = []

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.said = network(photos.names), []

        def training_step(self, batch: dict, _: int) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(self.network(batch["pixel_values"]), batch["labels"])

        def validation_step(self, batch: dict, _: int) -> None:
            self.said.append((self.network(batch["pixel_values"]), batch["labels"]))

        def on_validation_epoch_end(self) -> None:
            found.append(top1_of(*map(torch.cat, zip(*self.said, strict=True))))
            self.said = []

        def configure_optimizers(self) -> dict:
            optimizer = torch.optim.AdamW(self.parameters(), lr=knobs.lr, weight_decay=knobs.weight_decay)
            steps = self.trainer.estimated_stepping_batches
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, knobs.lr, steps, pct_start=knobs.warmup, anneal_strategy="cos")
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def fit() -> None:
        L.seed_everything(params.seed, verbose=False)
        trainer = L.Trainer(
            max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(Module(), *(loader(side, k == 0, knobs.batch_size) for k, side in enumerate(photos.sides)))

    return {"seconds": seconds(fit), "top1": max(found)}


def main() -> None:
    contestants = {"ours": ours, "plain_torch": plain_torch, "huggingface": huggingface, "lightning": lightning}
    options = contestant(__doc__, contestants, ("lightning",))
    if options is None:
        return
    task(options.quick)
    results = apart(__file__, list(contestants), options)
    took = {name: median_of(rounds, "seconds") for name, rounds in results.items()}
    top1 = {name: round(mean(row["top1"] for row in rounds), 4) for name, rounds in results.items()}
    peak = {name: median_of(rounds, "peak_gb") for name, rounds in results.items()}
    peers = {name: value for name, value in took.items() if name != "ours"}
    record(
        "finetune_cpu", took["ours"], peers, "s", 1.75, ("torch", "timm", "transformers", "lightning", "torchvision"),
        ratio=min(peers.values()) / took["ours"], keep=not options.quick, top1=top1,
        top1_by_seed={name: [round(row["top1"], 4) for row in rounds] for name, rounds in results.items()},
        top1_ok=top1["ours"] >= max(value for name, value in top1.items() if name != "ours"), peak_gb=peak,
        memory_ok=peak["ours"] <= min(value for name, value in peak.items() if name != "ours"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
