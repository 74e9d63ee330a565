"""LoRA: what learns beside which layers, and that the network which is kept is a plain one."""

import json

import pytest
import torch
from trained_files import files_of

from dermlab.data.rows import read_rows
from dermlab.data.shards import Shards
from dermlab.evaluate.outputs import predict_logits
from dermlab.model.backbones import Backbone, create_backbone
from dermlab.model.network import load_network
from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.run.errors import ParamsError
from dermlab.train import checkpoint, state
from dermlab.train.adapters import add_adapters
from dermlab.train.learnt import learnt, restore
from dermlab.train.validation import validate

SIGLIP = {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
CLIP = {"image_size": 64, "layers": 3, "width": 64, "head_width": 32, "patch_size": 16}
LAYERS = {"timm:test_vit": 4, "timm:test_convnext": 2, "open_clip": 4, "medsiglip": 6}  # linear ones of a block


def made(name: str) -> Backbone:
    declare_missing_operators()
    torch.manual_seed(0)
    config = {"vision": SIGLIP | {"image_size": 64, "patch_size": 16}, "mean": [0.5] * 3, "std": [0.5] * 3}
    if name == "open_clip":
        name, config = "open_clip:hf-hub:a/b", {"embed_dim": 48, "vision": CLIP, "quick_gelu": False, "mean": [0.5] * 3, "std": [0.5] * 3}
    backbone = create_backbone(name, 64, pretrained=False, config=config).eval()
    for parameter in (parameter for name, parameter in backbone.named_parameters() if name.endswith(".gamma")):
        parameter.data.fill_(1.0)  # ConvNeXt's blocks begin as next to nothing
    return backbone


def images() -> torch.Tensor:
    return torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", LAYERS)
def test_adapters_begin_as_nothing_learn_alone_and_are_merged_into_a_plain_network(name):
    backbone, before, names = made(name), made(name)(images()), list(made(name).state_dict())
    merge = add_adapters(backbone, 2, 4, 8.0, 64)
    torch.testing.assert_close(backbone(images()), before)
    learning = {name: parameter for name, parameter in backbone.named_parameters() if parameter.requires_grad}
    assert len(learning) == 2 * 2 * LAYERS[name]  # two matrices beside each layer of two blocks
    assert all("lora_" in parameter for parameter in learning)
    for _ in range(2):  # the second matrix begins at zero, and the first has no gradient before it moves
        backbone(images()).square().sum().backward()
        for parameter in learning.values():
            parameter.data -= parameter.grad.sign() * 0.01
    assert all(parameter.grad.abs().sum() > 0 for parameter in learning.values())
    adapted = backbone(images())
    assert not torch.allclose(adapted, before, atol=1e-2)
    merge()
    assert list(backbone.state_dict()) == names
    torch.testing.assert_close(backbone(images()), adapted, atol=1e-4, rtol=1e-4)


def test_a_layer_whose_weights_are_handed_to_a_function_gets_no_adapter():
    """BEiT's queries, keys and values in timm: an adapter beside them would be reached by nothing."""
    backbone = made("timm:beit_base_patch16_224")
    add_adapters(backbone, 1, 2, 2.0, 64)
    adapted = {name.split(".lora_")[0] for name, parameter in backbone.named_parameters() if parameter.requires_grad}
    assert {name.split("blocks.11.")[1] for name in adapted} == {"attn.proj", "mlp.fc1", "mlp.fc2"}


def test_a_network_of_convolutions_is_refused():
    with pytest.raises(ParamsError, match="the blocks of lite0 have none. Take `full`, or a ViT"):
        add_adapters(made("lite0"), 0, 4, 8.0, 64)


def test_a_rank_that_no_layer_has_is_refused_before_memory_is_taken():
    add_adapters(made("timm:test_vit"), 2, 64, 8.0, 64)
    with pytest.raises(ParamsError, match=r"train.lora_rank: 65 is more than the 64 of the widest layer .* take train.adapt: full"):
        add_adapters(made("timm:test_vit"), 2, 65, 8.0, 64)
    with pytest.raises(ParamsError, match="train.lora_rank: 10000000000"):
        add_adapters(made("open_clip"), 0, 10**10, 8.0, 64)


@pytest.mark.parametrize("adapt", ["lora", "full"])
def test_more_blocks_than_there_are_is_an_error_before_the_head_learns(clinic_of_vit, tmp_path, monkeypatch, adapt):
    monkeypatch.setattr("dermlab.train.run.head_phase", None)
    with pytest.raises(ParamsError, match="7 is more than the 6 blocks"):
        clinic_of_vit.train(tmp_path, clinic_of_vit.params(frozen_epochs=1, trainable_blocks=7, adapt=adapt))


def test_a_checkpoint_holds_what_learns_and_restores_all():
    backbone, again = made("timm:test_vit"), made("timm:test_vit")
    for each in (backbone, again):
        torch.manual_seed(5)
        add_adapters(each, 1, 4, 8.0, 64)
    for parameter in backbone.parameters():
        parameter.data += parameter.requires_grad * 0.1
    kept = learnt(backbone)
    assert len(kept) == 8
    assert all("lora_" in name for name in kept)
    restore(again, kept)
    assert torch.equal(again(images()), backbone(images()))


def test_the_kept_network_is_plain_and_scores_what_validation_said_within_training(clinic_of_vit, tmp_path):
    folder, metrics = tmp_path, clinic_of_vit.train(tmp_path, clinic_of_vit.params())
    assert metrics["best_phase"] == "finetune"
    model = load_network(folder / "model")
    known = read_rows(clinic_of_vit.folder / "catalog.parquet", clinic_of_vit.folder / "images.parquet")
    rows = known[known["split"] == "val"]
    judged = validate(predict_logits(model, rows, Shards(clinic_of_vit.folder / "shards")), model.classes.encode(rows["label"]))
    assert (judged.top1, judged.macro_f1) == (metrics["val_top1"], pytest.approx(metrics["val_macro_f1"]))
    assert judged.nll == pytest.approx(metrics["val_nll"], abs=1e-3)
    kept, pristine = model.module.backbone.state_dict(), clinic_of_vit.create("timm:test_vit").state_dict()
    changed = {name.split(".")[-3:][0] + "." + name.split(".")[-2] for name in pristine if not torch.equal(kept[name], pristine[name])}
    assert changed == {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"}
    assert json.loads((folder / "model" / "model.json").read_text())["recipe"]["train"]["adapt"] == "lora"


@pytest.mark.parametrize("frozen_epochs", [0, 1])
def test_a_run_with_adapters_that_is_killed_goes_on_and_ends_with_the_same_bytes(clinic_of_vit, tmp_path, monkeypatch, frozen_epochs):
    """Killed before fine-tuning, in its fourth step and after its last epoch, where all that is left is to keep the network: with a head
    trained before, that of the head."""
    params, killed = clinic_of_vit.params(frozen_epochs=frozen_epochs), {("frozen", 1, 0), ("finetune", 0, 3), ("finetune", 2, 0)}
    whole = clinic_of_vit.train(tmp_path / "whole", params)
    assert whole["best_phase"] == ("frozen" if frozen_epochs else "finetune")

    def write_and_die(folder, content):
        checkpoint.write_checkpoint(folder, content)
        at = content["phase"], content["epoch"], content["step"]
        if at in killed:
            killed.remove(at)
            raise KeyboardInterrupt

    monkeypatch.setattr(state, "write_checkpoint", write_and_die)
    for _ in range(2 + frozen_epochs):
        with pytest.raises(KeyboardInterrupt):
            clinic_of_vit.train(tmp_path / "killed", params, checkpoint_minutes=1e-9)
    assert clinic_of_vit.train(tmp_path / "killed", params) == whole
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
