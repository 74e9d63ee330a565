"""The rules: where each holds, what it says to try or to leave for later, and the table that it rests on.

None promises anything: each was measured on the data that its table names. A test holds the figures against the docs.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dermlab.advise.facts import AUTO, EXPECTED, Facts

# The commonest class over the rarest, from where on rare classes are spoken of: a choice, as they were looked at on sources of 40 to 1 and
# more alone (phantom, HAM10000).
UNEVEN = 10
# Shares of wrong labels up to which policies for labels were set against the baseline: on the phantom, fine-tuned, and on frozen features.
FEW_WRONG, SOME_WRONG = 0.05, 0.1
MANY_WRONG = 0.2  # the least at which policies for a network fine-tuned whole were measured, and what `agreed` drops was counted
HOW_MANY_WRONG = "HAM10000, 20 and 40 % made wrong in pairs, lite0 whole at 64 px, five epochs"  # of what was measured so

RESULTS, FLAGS = "docs/results.md", "docs/flags.md"
HEART = f"{RESULTS}#where-a-network-may-learn-wrong-labels-by-heart"


@dataclass(frozen=True)
class Rule:
    name: str  # of its experiment in a study
    holds: Callable[[Facts], bool]
    costs: str
    why: str
    measured: str  # its figures stand in `where` as they stand here
    where: str  # PAGE#SECTION
    settings: Mapping[str, Any] = field(default_factory=dict)  # params by dotted key
    command: Callable[[Facts], str] | None = None  # a line to copy, where it is no recipe

    def settings_for(self, facts: Facts) -> dict[str, Any]:
        """A variant joins those that are there: a recipe tries one thing more."""
        there = [name for name in facts.variants if name != "baseline"]
        return {key: "+".join([*there, value]) if key == "variant" else value for key, value in self.settings.items()}

    def is_set(self, facts: Facts) -> bool:
        """params.yaml has it already."""
        has = (value in facts.variants if key == "variant" else facts.params[key] == value for key, value in self.settings.items())
        return bool(self.settings) and all(has)


def _uneven(facts: Facts) -> bool:
    return (facts.uneven or 0) >= UNEVEN


def _wrong(facts: Facts) -> float:
    """The share of wrong labels; NaN where nobody knows it, which is neither more nor less than anything."""
    return math.nan if facts.noise.share is None else facts.noise.share


def _tuned_on_many_wrong(facts: Facts) -> bool:
    """What was measured there is of a network fine-tuned whole, and the nearest that there is where a part of it is, or LoRA."""
    return not facts.frozen and _wrong(facts) >= MANY_WRONG


NAIVE = {"variant": "cleaned", "manifest.guard": "off", "flag.method": "confident_learning"}
MEASURED_WITH = {"backbone": "lite0", "variant": "baseline", "loss": "ce"}  # every rule, but for what it sets

# In the order in which they are printed: what costs least first, of equal costs what is surest.
TRY = (
    Rule(
        name="by-case",
        holds=lambda facts: facts.of_several > 0,
        costs="no further training",
        why="Several photos of a case answered as one were oftener right than each by itself.",
        measured="Phantom of three raters, five seeds, top-1: +5.5 points [+3.6, +7.3] in cases of several, +3.3 [+2.2, +4.4] in all.",
        where=f"{RESULTS}#by-case",
        command=lambda _: "dermlab predict --case PHOTO PHOTO",
    ),
    Rule(
        name="prior",
        holds=_uneven,
        costs="no further training",
        why="Taking the prior out of the predictions names rare classes more often; top-1 may pay for it.",
        measured=(
            "HAM10000, three seeds: frozen head, balanced accuracy 0.560 ± 0.029 [+12.4, +20.6], top-1 0.714 ± 0.017 [−9.7, +1.8]; "
            "fine-tuned, 0.693 ± 0.032 after 0.618 ± 0.007, and 0.804 ± 0.017 after 0.823 ± 0.006."
        ),
        where=f"{RESULTS}#what-fine-tuning-and-the-prior-gain",
        settings={"calibrate.adjust": "validation"},
    ),
    Rule(
        name="known-noise",
        holds=lambda facts: (
            facts.noise.interval is not None
            and 0.0005 <= _wrong(facts) < 0.4995
            and facts.params[EXPECTED] == AUTO
            and facts.params["flag.method"] == "posterior"  # no other asks for the rate
        ),
        costs="the flags anew",
        why="Told how many labels are wrong, flags found more of them on real photos; not on the phantom.",
        measured=(
            "Wrong labels found: CIFAR-10H, worst of three, 42 % (29 to 50) in place of 24 %; HAM10000, any class, 39 % (16 to 59) in "
            "place of 14 %; phantom 28 % (14 to 42) in place of 32 %."
        ),
        where=f"{FLAGS}#once-the-rate-is-known",
        command=lambda facts: f"dvc exp run -S {EXPECTED}={facts.noise.share:.3f}",
    ),
    Rule(
        name="how-many-wrong",
        holds=lambda facts: facts.noise.share is None,
        costs="100 answers of a reader",
        why="Whether cleaning may pay hangs on how many labels are wrong, of which flags give a lower bound alone.",
        measured="Simulated samples of 100 rows, a reader who does not err: the 95 % interval held the truth in 93 to 96 of 100.",
        where=f"{FLAGS}#once-the-rate-is-known",
        command=lambda facts: "dermlab review --merge FILE" if facts.noise.waiting else "dermlab review --sample 100 --reader NAME",
    ),
    Rule(
        name="rebalanced",
        holds=_uneven,
        costs="a training a seed",
        why="Drawing rare classes more often found more of them; it may cost some top-1.",
        measured=(
            "Rare recall, five seeds: phantom, fine-tuned, +13.6 [+7.8, +19.5], HAM10000, frozen head, +27.8 [+18.4, +37.2]; "
            "top-1 −0.8 [−3.2, +1.5] and −0.9 [−2.5, +0.6]."
        ),
        where=f"{RESULTS}#does-cleaning-rebalancing-or-another-loss-help",
        settings={"variant": "rebalanced"},
    ),
    Rule(
        name="adjusted-half",
        holds=lambda facts: _uneven(facts) and facts.frozen,
        costs="a training a seed",
        why="On a frozen head, half of the logit adjustment found rare classes without a loss of top-1 that showed.",
        measured=(
            "HAM10000, frozen head, three seeds: rare recall 0.420 ± 0.011 [+25.0, +34.2], macro F1 0.523 ± 0.011 [+2.4, +14.5], "
            "top-1 0.747 ± 0.006 [−2.6, +1.3]."
        ),
        where=f"{RESULTS}#what-fine-tuning-and-the-prior-gain",
        settings={"loss": "logit_adjusted", "train.logit_tau": 0.5},
    ),
    Rule(
        name="finetuned",
        holds=lambda facts: facts.frozen and facts.params["backbone"] == "lite0",
        costs="a long training a seed",
        why="The whole network, fine-tuned, knew more than a head on its frozen features.",
        measured=(
            "HAM10000 with its own labels, lite0 at 128 px, three seeds: top-1 0.823 ± 0.006 [+4.3, +9.5], balanced accuracy 0.618 ± 0.007 "
            "[+19.8, +24.9] over its frozen head."
        ),
        where=f"{RESULTS}#what-fine-tuning-and-the-prior-gain",
        settings={"train.finetune_epochs": 5, "train.trainable_blocks": 0, "train.lr": 0.0003},
    ),
    Rule(
        name="reviewed",
        holds=lambda facts: facts.frozen and _wrong(facts) >= SOME_WRONG,
        costs="answers for one row in fifty, then a training a seed",
        why="Where a tenth is wrong a review of the queue may help: most of what it asked about was wrong indeed.",
        measured=(
            "HAM10000, a tenth made wrong, five seeds: macro F1 +1.3 [−0.5, +3.1] with 144 reviewed, +1.2 [−0.0, +2.5] with 361, of which "
            "280 were wrong."
        ),
        where=f"{RESULTS}#what-cleaning-may-do",
        command=lambda _: "dermlab review",
    ),
    Rule(
        name="briefly",
        holds=_tuned_on_many_wrong,
        costs="answers for one row in fifty, then a training a seed",
        why=(
            "With so many wrong labels no policy beat a brief, plain training in top-1 and balanced accuracy: spend what there is on "
            "labels that people look at."
        ),
        measured=(
            "HAM10000, 40 % made wrong in pairs, lite0 whole at 64 px: plain training gave the wrong label back of 25 % of the wrong rows "
            "in its fifth epoch, where it ended; in one of fifteen epochs it was 26 % in the fifth, and 30 % in the last. Of 361 photos "
            "that a review asked about, 243 were wrong."
        ),
        where=HEART,
        command=lambda _: "dermlab review",
    ),
)
LEAVE = (
    Rule(
        name="naive-tuned",
        holds=_tuned_on_many_wrong,
        costs="a long training a seed",
        why="What plain confident learning flags is not to be dropped: much of it is right, above all in rare classes.",
        measured=f"{HOW_MANY_WRONG}, one training each, balanced accuracy: −13.3 [−19.2, −7.5] and −17.1 [−23.5, −10.7].",
        where=HEART,
        settings=NAIVE,
    ),
    Rule(
        name="naive-drop",
        holds=lambda facts: not _tuned_on_many_wrong(facts),
        costs="a training a seed",
        why="What plain confident learning flags is not to be dropped: much of it is right, above all in rare classes.",
        measured=(
            "Macro F1, five seeds: phantom −6.1 [−8.7, −3.4], HAM10000, a tenth made wrong, −2.8 [−3.2, −2.5], CIFAR-10H −2.7 [−4.1, −1.4]."
        ),
        where=f"{RESULTS}#what-cleaning-may-do",
        settings=NAIVE,
    ),
    Rule(
        name="softened",
        holds=lambda facts: facts.frozen and _wrong(facts) <= SOME_WRONG,
        costs="a training a seed",
        why="On a frozen head, with a tenth wrong or less, neither softening nor guarded cleaning was told apart from the baseline.",
        measured=(
            "Macro F1, five seeds: phantom +0.9 [−1.4, +3.3], HAM10000, a tenth made wrong, −0.6 [−1.4, +0.1], CIFAR-10H +0.6 [−0.4, +1.6]."
        ),
        where=f"{RESULTS}#what-cleaning-may-do",
        settings={"variant": "softened"},
    ),
    Rule(
        name="cleaned",
        holds=lambda facts: not facts.frozen and _wrong(facts) <= FEW_WRONG,
        costs="a training a seed",
        why="Fine-tuned, with few wrong labels, guarded cleaning was not told apart from the baseline.",
        measured="Phantom, five seeds: top-1 +0.6 [−2.7, +3.8], macro F1 −0.7 [−5.7, +4.2].",
        where=f"{RESULTS}#on-the-phantom-fine-tuned",
        settings={"variant": "cleaned"},
    ),
    Rule(
        name="agreed",
        holds=lambda facts: _wrong(facts) < MANY_WRONG,
        costs="a training a seed",
        why="Training on agreed rows alone is for labels of which a large part is wrong: even at a fifth, half of what it drops is right.",
        measured="HAM10000, 20 % made wrong: it keeps 76 % of 5,769 right rows and 10 % of 1,442 wrong ones.",
        where=f"{FLAGS}#when-a-large-part-is-wrong",
        settings={"variant": "agreed"},
    ),
    Rule(
        name="agreed-tuned",
        holds=_tuned_on_many_wrong,
        costs="a long training a seed",
        why="Rows that frozen features contradict, left out, were missed.",
        measured=f"{HOW_MANY_WRONG}, one training each, top-1: −3.3 [−5.8, −0.8] and −1.8 [−5.8, +2.1].",
        where=HEART,
        settings={"variant": "agreed"},
    ),
    Rule(
        name="gce",
        holds=_tuned_on_many_wrong,
        costs="a long training a seed",
        why="A loss made for wrong labels took rare classes for such.",
        measured=(
            f"{HOW_MANY_WRONG}, two or three trainings, balanced accuracy: gce −21.3 [−27.1, −15.5] and −16.6 [−21.9, −11.4], "
            "elr −21.3 [−26.3, −16.3] and −11.9 [−19.5, −4.3]."
        ),
        where=HEART,
        settings={"loss": "gce"},
    ),
    Rule(
        name="softened-tuned",
        holds=_tuned_on_many_wrong,
        costs="a long training a seed",
        why="Softening was not told apart from plain training.",
        measured=(
            f"{HOW_MANY_WRONG}, three seeds: top-1 −0.6 [−1.9, +0.7] and −3.2 [−5.8, −0.5], balanced accuracy +1.0 [−2.8, +4.7] and "
            "+0.3 [−3.9, +4.4]."
        ),
        where=HEART,
        settings={"variant": "softened"},
    ),
    Rule(
        name="distributed",
        holds=lambda facts: facts.several_labels,
        costs="a training a seed",
        why="Where raters differ the majority was label enough.",
        measured="Phantom of three raters, five seeds: top-1 +0.3 [−0.4, +1.0], macro F1 −0.7 [−3.2, +1.9].",
        where=f"{RESULTS}#what-raters-who-disagree-are-worth",
        settings={"variant": "distributed"},
    ),
    Rule(
        name="balanced-softmax",
        holds=lambda facts: _uneven(facts) and facts.frozen,
        costs="a training a seed",
        why="On a frozen head the whole adjustment lost top-1 for rare classes; half of it did not.",
        measured="HAM10000, frozen head, three seeds: rare recall 0.642 ± 0.039 [+47.3, +56.5], top-1 0.671 ± 0.002 [−10.0, −6.4].",
        where=f"{RESULTS}#what-fine-tuning-and-the-prior-gain",
        settings={"loss": "balanced_softmax"},
    ),
)
