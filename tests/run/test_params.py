from pathlib import Path

import pytest
from defaults import DEFAULTS

from dermlab.flag.params import Params as FlagPart
from dermlab.flag.params import joined
from dermlab.manifest.params import Params as ManifestPart
from dermlab.pull.params import Params as PullPart
from dermlab.run.errors import ParamsError
from dermlab.run.params import changed_params, check_params, flat, read_params, validated
from dermlab.train.params import Params as TrainPart

TEXT = DEFAULTS.read_text()


def edited(tmp_path: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("loss: ce", "loss: focl", "did you mean focal.*Valid: ce, focal, bce, balanced_softmax, logit_adjusted"),
        (
            "variant: baseline",
            "variant: baseline+cleand",
            "did you mean cleaned.*Valid: baseline, relabeled, cleaned, agreed, distributed, softened, rebalanced",
        ),
        ("variant: baseline", "variant: cleaned+cleaned", "twice"),
        ("variant: baseline", "variant: baseline+cleaned", "`baseline` changes nothing and joins with nothing"),
        ("variant: baseline", "variant: agreed+cleaned", "`agreed` drops what `cleaned` does and more"),
        ("seed: 17", "seed: true", "seed: true is not valid. Valid: a whole number"),
        ("seed: 17", "seed: 1000.0", "seed: 1000.0 is not valid. Valid: a whole number, such as 1000"),
        ("  head_lr: 0.001", "  head_lr: .inf", "train.head_lr: inf is not valid"),
        ("backbone: lite0", "backbone: resnet", "Valid: lite0, medsiglip"),
        ("backbone: lite0", "backbone: timm:hf-hub:name", "'timm:hf-hub:name' is not a backbone. Valid:.*timm:hf-hub:<org>/<name>"),
        ("expected_noise: auto", "expected_noise: 0.9", "flag.expected_noise: 0.9 is not valid. Valid: auto; or .* less than 0.5$"),
        ("  l2: auto", "  l2: aut", "flag.l2: 'aut' is not valid .did you mean auto.*; or input should be a valid number"),
        ("  adapt: full", "  adapt: lora", "train: adapt: lora needs linear layers, .* of lite0 have none. Valid with it: full"),
        ("backbone: lite0", "backbone: hf:org/name@", "hf:org/name@.*Valid:.*hf:<name>.@<revision>"),
        ("  folds: 5", "  fold: 5", "flag.fold is not a param .*did you mean folds"),
        ("  beta: 0.999", "  beta: 1.5", "manifest.beta: 1.5"),
        ("seed: 17", "seed: seventeen", "seed: 'seventeen'"),
        ("garbage: auto", "garbage: prompt", "did you mean prompts.*Valid: auto, distance, prompts"),
        ("garbage: auto", "garbage: prompts", "flag: garbage: prompts needs .* lite0 does not. Valid with it: auto, distance"),
        ("backbone: lite0", "backbone: medsiglip", "embed.image_size: 128 is not for medsiglip.*dermlab study medsiglip-h100"),
        ("  image_size: 128", "  image_size: 224", "224 is more than the stored photos have .pull.image_size: 160.*pull.image_size=224"),
        ("  image_size: 128", "  image_size: 2049", "embed.image_size: 2049 is not valid: .* less than or equal to 2048"),
        ("  skin_prompts: >-\n", "  skin_prompts: '|'\n  spare: >-\n", "flag.skin_prompts: '|' holds no text. Valid: one or more"),
        ("    a photo of {} |", "    a photo |", "'a photo' has no place for the prompt. Valid: texts with {}"),
    ],
)
def test_a_wrong_key_or_choice_is_refused_with_what_is_valid(tmp_path, old, new, says):
    with pytest.raises(ParamsError, match=says):
        check_params(edited(tmp_path, old, new))


@pytest.mark.parametrize("line", ["trian: {}", "  knob: 1"])
def test_a_key_that_nobody_knows_is_refused_wherever_it_stands(tmp_path, line):
    path = edited(tmp_path, "  bootstrap: 10000", f"  bootstrap: 10000\n{line}")
    with pytest.raises(ParamsError, match="is not a param"):
        check_params(path)


def test_a_stage_reads_its_own_part_and_the_first_ones_check_that_of_all(tmp_path):
    path = edited(tmp_path, "loss: ce", "loss: focl")
    assert read_params(PullPart, path).pull.image_size == 160
    with pytest.raises(ParamsError, match="did you mean focal"):
        check_params(path)


@pytest.mark.parametrize("value", ["softened", "cleaned+rebalanced", "softened+rebalanced", "cleaned+softened", "relabeled+softened"])
def test_variants_are_joined_by_plus(tmp_path, value):
    path = edited(tmp_path, "variant: baseline", f"variant: {value}")
    check_params(path)
    assert read_params(ManifestPart, path).variants == tuple(value.split("+"))


def test_a_training_without_an_epoch_is_refused(tmp_path):
    written = TEXT[TEXT.index("  frozen_epochs") : TEXT.index("  batch_size: 64")]
    path = edited(tmp_path, written, "  frozen_epochs: 0\n  frozen_solver: adamw\n  finetune_epochs: 0\n")
    with pytest.raises(ParamsError, match="train: frozen_epochs and finetune_epochs are both 0: there is nothing to train"):
        check_params(path)


def test_lora_without_an_epoch_of_fine_tuning_is_refused(tmp_path):
    raw = check_params(edited(tmp_path, "  finetune_epochs: 2", "  finetune_epochs: 0")) | {"backbone": "timm:test_vit"}
    raw["train"] = raw["train"] | {"adapt": "lora"}
    with pytest.raises(ParamsError, match="train: adapt: lora is a way to fine-tune, and finetune_epochs is 0. Valid with it: full"):
        validated(TrainPart, raw, tmp_path)
    raw["train"] = raw["train"] | {"finetune_epochs": 1}
    assert validated(TrainPart, raw, tmp_path).train.adapt == "lora"


def test_the_guard_is_switched_by_the_words_on_and_off(tmp_path):
    assert read_params(ManifestPart, edited(tmp_path, "guard: on", "guard: off")).manifest.guard is False
    assert read_params(ManifestPart, edited(tmp_path, "guard: on", "guard: on")).manifest.guard is True


def test_prompts_are_joined_by_bars_and_survive_what_dvc_does_to_the_file(tmp_path):
    from dvc.utils.serialize import modify_yaml

    path = edited(tmp_path, "folds: 5", "folds: 5")
    before = read_params(FlagPart, path).flag
    with modify_yaml(path) as params:
        params["flag"]["folds"] = 4
    after = read_params(FlagPart, path).flag
    assert joined("a rash|  a mole | ") == ("a rash", "a mole")
    assert joined(after.prompt_templates) == joined(before.prompt_templates)
    assert joined(after.not_skin_prompts) == joined(before.not_skin_prompts)
    assert len(joined(after.not_skin_prompts)) == 8


def test_the_machine_is_no_part_of_what_came_out():
    """Neither of a recipe, nor of what two of them differ in."""
    slow, fast = ({"loss": "ce", "machine": {"workers": n}, "report": {"examples": n}, "train": {"lr": 1}} for n in (1, 8))
    assert flat(slow) == {"loss": "ce", "train.lr": 1}
    assert changed_params(slow, fast) == {}


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"gone.yaml does not exist"):
        check_params(tmp_path / "gone.yaml")
    broken = tmp_path / "params.yaml"
    broken.write_text("loss: [ce")
    with pytest.raises(ParamsError, match="not valid YAML"):
        check_params(broken)


def test_an_override_changes_one_line_of_the_file(tmp_path):
    """`-S` writes the file anew: long lines would be folded, and each diff of a review would show them."""
    from dvc.utils.hydra import apply_overrides

    path = edited(tmp_path, "seed: 17", "seed: 17")
    apply_overrides(str(path), ["loss=focal"])
    assert path.read_text() == TEXT.replace("loss: ce", "loss: focal", 1)
