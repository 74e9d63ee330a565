"""Three readers, a desk and two ways to answer, from their pages to a model that is trained on what they concluded."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from clones import Clone, copy_of
from playwright.sync_api import Browser, Page
from reading import settle

GARBAGE = ("document", "no_skin", "wrong_part")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


@dataclass(frozen=True)
class Person:
    """A simulated reader, who knows the truth and errs on a share of the cases, the same ones each time."""

    number: int
    error: float
    by_touch: bool = False

    def answers(self, images: list[str], truth: pd.DataFrame, classes: list[str]) -> tuple[str, list[int]]:
        """(class, `drop` or `cannot tell`; places of the photos that say nothing). images: of one card."""
        known = truth.loc[images]
        useless = [place for place, kind in enumerate(known["kind"]) if kind in GARBAGE]
        if len(useless) == len(images):
            return "drop", []
        right = known.loc[~known["kind"].isin(GARBAGE), "true_label"].iloc[0]
        chance = int(hashlib.sha256(f"{self.number} {images[0]}".encode()).hexdigest()[:8], 16) / 16**8
        if chance < self.error / 4:
            return "cannot tell", useless
        if chance < self.error:  # a wrong class, which depends on the reader: who errs together mostly disagrees
            return classes[(classes.index(right) + self.number) % len(classes)], useless
        return right, useless


def read(page: Page, person: Person, truth: pd.DataFrame) -> int:
    """Answers all cards of the page, and exports. How many there were."""
    classes, cards = page.evaluate("content.classes"), page.evaluate("content.cards.map((card) => card.images)")
    for images in cards:
        said, useless = person.answers(images, truth, classes)
        settle(page)
        (answer_by_touch if person.by_touch else answer_by_keyboard)(page, said, useless if said not in ("drop", "cannot tell") else [])
    assert page.is_visible("#done")
    settle(page)
    return len(cards)


def answer_by_keyboard(page: Page, said: str, useless: list[int]) -> None:
    for place in useless:
        page.keyboard.press(f"Shift+Digit{place + 1}")
    if said in ("drop", "cannot tell"):
        page.keyboard.press("9" if said == "drop" else "0")
    else:
        page.keyboard.type(said)
        page.keyboard.press("Enter")
        page.keyboard.press("2")


def answer_by_touch(page: Page, said: str, useless: list[int]) -> None:
    for place in useless:
        page.tap(f".useless >> nth={place}")
    if said in ("drop", "cannot tell"):
        page.tap(f"nav [data-act={'drop' if said == 'drop' else 'cannot'}]")
    else:
        page.tap(f'#options [data-name="{said}"]')
        page.tap("nav [data-confidence=likely]")


def answered(chromium: Browser, clinic: Clone, person: Person, truth: pd.DataFrame) -> str:
    """Opens the reader's page in a browser of its own, answers it, and saves what it exports. The file's name."""
    context = chromium.new_context(**(PHONE if person.by_touch else DESKTOP), accept_downloads=True)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto((clinic.folder / "data" / f"review-reader-{person.number}.html").as_uri())
    count = read(page, person, truth)
    with page.expect_download() as download:
        page.tap("#done [data-act=export]") if person.by_touch else page.keyboard.press("Control+s")
    name = f"answers-{person.number}.csv"
    download.value.save_as(clinic.folder / name)
    context.close()
    assert wrong == []
    assert count
    return name


def test_three_readers_of_sixty_cases_and_a_fourth_who_adjudicates_train_a_model(finished_clinic, tmp_path, chromium):
    clinic = copy_of(finished_clinic, Path(tmp_path / "clinic"))
    truth = pd.read_parquet(clinic.folder / "data" / "truth.parquet").set_index("image_id")
    people = [Person(1, 0.1), Person(2, 0.2, by_touch=True), Person(3, 0.3)]
    named = [word for name in ("Anna", "Ben", "Cleo") for word in ("--reader", name)]
    said = clinic.run("dermlab", "review", *named, "--blind", "--limit", "60").stdout
    assert [f"reader {n}: 66 cards, 6 of them shown twice" in said for n in (1, 2, 3)] == [True] * 3
    files = [word for person in people for word in ("--merge", answered(chromium, clinic, person, truth))]
    said = clinic.run("dermlab", "review", *files).stdout
    disputed = int(said.split(" dropped; ")[1].split(" disputed")[0])
    assert disputed

    clinic.run("dermlab", "review", "--adjudicate", "--reader", "Dora")
    said = clinic.run("dermlab", "review", "--merge", answered(chromium, clinic, Person(4, 0), truth)).stdout
    assert "; 0 disputed, 0 wait for another reader" in said
    ledger = pd.read_csv(clinic.folder / "data" / "relabels.csv").set_index("image_id")
    right = truth["true_label"].where(~truth["kind"].isin(GARBAGE), "drop").reindex(ledger.index)
    assert (ledger["to_label"] == right).mean() > max(0.9, (ledger["from_label"] == right).mean() + 0.05)
    assert ledger["reason"].str.contains("adjudicated").sum() == disputed

    for size in (DESKTOP, PHONE):
        page = chromium.new_page(**size)
        page.goto((clinic.folder / "data" / "agreement.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == size["viewport"]["width"]
        assert page.locator("table >> nth=0").locator("tbody tr").count() == 3
        page.close()
    text = (clinic.folder / "data" / "agreement.html").read_text()
    assert not any(name in text for name in ("Anna", "Ben", "Cleo", "Dora"))

    clinic.commit("What readers concluded")
    clinic.run("dvc", "exp", "run", "-S", "variant=relabeled")
    numbers = json.loads((clinic.folder / "metrics" / "manifest.json").read_text())
    changed = (ledger["to_label"] != ledger["from_label"]) & (ledger["to_label"] != "drop")
    assert numbers["relabeled"] + numbers["reviewed_dropped"] + numbers["confirmed"] <= len(ledger)
    assert 0 < numbers["relabeled"] <= changed.sum()
    assert sum(of["relabeled"] for of in numbers["by_readers"].values()) == numbers["relabeled"]
    report = (clinic.folder / "data" / "report.md").read_text()
    assert "rows carry the label that review gave them: " in report
    assert " by 2 of 3 readers" in report
