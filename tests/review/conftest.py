"""A small training set with planted questions, as the stages before the review leave it, and a real Chromium."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import expect
from readers import answer
from rows_in_use import write_rows

from dermlab.cli.labels import review
from dermlab.data.classes import Classes
from dermlab.data.ledger import HEADER, read_ledger
from dermlab.data.questionnaire import Question, write_questionnaire
from dermlab.data.readers import number_of
from dermlab.data.shards import Shards, shard_name, write_shard
from dermlab.data.tables import FLAGS, write_table
from dermlab.review.queue import Queue, build_queue
from dermlab.review.record import merge_answers
from dermlab.run import paths

CLASSES = Classes(("eczema", "psoriasis", "tinea", "acne", "post-inflammatory hyperpigmentation"))
QUESTIONS = (
    Question(name="age_group", kind="choice", choices=("AGE_18_TO_29", "AGE_30_TO_39")),
    Question(name="textures", kind="multi", choices=("flat", "raised_or_bumpy")),
    Question(name="itch_level", kind="number", low=0, high=10),
)
expect.set_options(timeout=30_000)  # milliseconds; a machine that runs other tests beside may be slow


@dataclass
class World:
    """What lies in the files below the working directory; change the frames and `write` again."""

    catalog: pd.DataFrame
    flags: pd.DataFrame
    classes: Classes

    def write(self) -> None:
        write_rows(self.catalog, QUESTIONS)
        write_table(paths.FLAGS, self.flags, FLAGS)
        self.classes.write(paths.SOURCE / "classes.json")
        write_questionnaire(paths.SOURCE / "questionnaire.json", QUESTIONS)

    def queue(self, limit: int = 2000) -> Queue:
        ledger = read_ledger(paths.RELABELS, self.catalog, self.classes)
        return build_queue(self.flags, self.catalog, ledger, self.classes, QUESTIONS, limit)

    def page(self, **options) -> str:
        """Runs `dermlab review` and returns the address of its page."""
        call = {"merge": None, "limit": 2000, "out": paths.REVIEW, "reviewer": "ada", "pixels": 320}
        review(**(call | options))
        return paths.REVIEW.resolve().as_uri()


def make_world(train: int, ranked: int, classes: Classes = CLASSES) -> World:
    """`train` training images t0000 ... and two of test. Ranked: t0000 a scanned page, t0001 and t0002 copies in conflict, t0003 a
    copy of a test image, then doubtful labels, to which another class is suggested."""
    ids = [f"t{i:04d}" for i in range(train)]
    labels = [classes.targets[i % len(classes.targets)] for i in range(train)]
    everyone = [*ids, "x-test-1", "x-test-2"]
    catalog = pd.DataFrame({
        "image_id": everyone, "patient_id": [f"secret-patient-{i}" for i in range(train + 2)], "case_id": "secret-case",
        "diagnosis": [*labels, "eczema", "eczema"], "label": [*labels, classes.targets[0], classes.targets[0]],
        "split": ["train"] * train + ["test"] * 2, "width": 64, "height": 48, "sha256": everyone, "phash": np.uint64(0), "shard": 0,
        "row": np.arange(train + 2), "q_age_group": "AGE_30_TO_39", "q_textures": [("flat", "raised_or_bumpy")] * (train + 2),
        "q_itch_level": 7.0, "note_how": "secret-note",
    })  # fmt: skip
    catalog.loc[1, ["q_age_group", "q_textures", "q_itch_level"]] = None
    issues = ["garbage", "conflict", "conflict", "leak", *["mislabeled"] * (train - 4)]
    rank = [i + 1 if i < ranked else None for i in range(train)]
    flags = pd.DataFrame({
        "image_id": ids, "given": labels, "suggested": [classes.targets[(i + 1) % len(classes.targets)] for i in range(train)],
        "suggested_prob": 0.83, "quality": 0.2, "spread": 0.1, "agreement": 0.3, "issue": issues, "label_issue": True,
        "neighbours": [tuple(ids[(i + step) % train] for step in (4, 5, 6, 7)) for i in range(train)],
        "duplicate_of": [None, None, "t0001", "x-test-1", *[None] * (train - 4)], "outlier_score": 0.5, "not_skin_score": 0.5,
        "leak": [i == 3 for i in range(train)], "protected": [label == classes.targets[-1] for label in labels],
        "review_rank": pd.array(rank, dtype="Int32"),
    })  # fmt: skip
    rng = np.random.default_rng(0)
    paths.SHARDS.mkdir(parents=True)
    write_shard(paths.SHARDS / shard_name(0), everyone, [photo(rng) for _ in everyone])
    paths.RELABELS.write_text(",".join(HEADER) + "\n")
    world = World(catalog, flags, classes)
    world.write()
    return world


def photo(rng: np.random.Generator) -> bytes:
    """A JPEG that carries what a page must not: EXIF and a comment."""
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8)).resize((640, 480)).save(buffer, "JPEG", exif=exif, comment=b"secret place")
    return buffer.getvalue()


@pytest.fixture
def make(tmp_path, monkeypatch) -> Callable[..., World]:
    """`make_world`, in a working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    return make_world


@pytest.fixture
def world(make) -> World:
    return make(train=12, ranked=8)


@pytest.fixture
def cases(make):
    """Ten cases of three photos, t0000, t0010 and t0020 and so on, of which the first five are doubtful."""
    world = make(train=30, ranked=5)
    world.catalog["case_id"] = [f"case {n % 10}" for n in range(30)] + ["x", "y"]
    world.write()
    return world


@pytest.fixture
def shards(world) -> Shards:
    return Shards()


@pytest.fixture
def tab(chromium):
    """A page of a fresh profile, in which an error of the script fails the test and every request off the disk is one."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else wrong.append(request.url))
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def said(world):
    """`said(image, answer, reader, place)`: a line of the world's classes."""
    number_of(["Anna", "Ben", "Cleo"])
    return partial(answer, world.classes)


@pytest.fixture
def merge(world):
    return lambda *files: merge_answers(files, world.catalog, world.classes)
