"""What a model card says of its licence, and which public sets a backbone has seen."""

import pytest

from dermlab.preflight.estimate import GO, LOOK
from dermlab.preflight.licence import licence, seen


def card(said: str) -> str:
    return f"---\n{said}\ntags: [dermatology]\n---\n# A model\nlicense: mit\n"


@pytest.mark.parametrize(
    ("written", "result", "said"),
    [
        (card("license: mit"), GO, ": mit"),
        (card("license: cc-by-nc-4.0"), LOOK, ": cc-by-nc-4.0; not for commercial use"),
        (card("license: cc-by-nc-nd-4.0"), LOOK, "not for commercial use; what is made from it, as by fine-tuning, may not be passed on"),
        (card("license: other\nlicense_name: health-ai\nlicense_link: https://nc.org"), GO, ": other, health-ai, https://nc.org"),
        (card("license: [mit, apache-2.0]"), GO, ": mit, apache-2.0"),
        (card("language: en"), LOOK, "none stated in the model card"),
        ("# A model without metadata\n", LOOK, "none stated in the model card"),
        (card('license: "mit\\e[31m"'), GO, ": mit[31m"),
        ("\ufeff" + card("license: mit"), GO, ": mit"),
        (card("license: other\nlicense_name: NonCommercial-NoDerivatives"), LOOK, "not for commercial use; what is made from it"),
        (card("license: mit\n1: one\nignore_metadata_errors: 1\nmodel-index: 5"), GO, ": mit"),
        ("---\n- license\n- mit\n---\n# A model\n", LOOK, "cannot be read (its head must hold keys and values.): read it there"),
        ("---\nlicense: [mit\n---\n# A model\n", LOOK, "cannot be read (its head is not valid YAML: "),
        ("---\n---\n# A model\n", LOOK, "none stated"),
    ],
)
def test_the_licence_is_what_the_model_card_states(tmp_path, written, result, said):
    (tmp_path / "README.md").write_text(written)
    found = licence(f"open_clip:hf-hub:{tmp_path}")
    assert found.result == result
    assert said in found.said


def test_a_model_card_that_is_no_text_is_told(tmp_path):
    (tmp_path / "README.md").write_bytes(b"---\nlicense: \xff\n---\n")
    found = licence(f"hf:{tmp_path}")
    assert (found.result, "README.md, line 2: byte 13 is not UTF-8" in found.said) == (LOOK, True)


def test_a_repository_without_a_model_card_states_none(tmp_path):
    assert "none stated" in licence(f"timm:hf-hub:{tmp_path}").said


def test_a_model_card_that_cannot_be_had_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = licence("hf:org/name@abc")
    assert (found.result, "the model card of org/name is not to be had" in found.said) == (LOOK, True)


def test_backbones_of_a_librarys_own_list_have_no_model_card_here():
    assert licence("lite0") is None


def test_a_public_set_that_a_backbone_was_trained_on_is_told_with_who_says_it():
    assert "was trained on SCIN (its model card" in seen("medsiglip").said
    assert "Derm1M" in seen("open_clip:hf-hub:redlessone/DermLIP_ViT-B-16@abc").said
    assert seen("lite0") is None
    assert seen("hf:facebook/dinov2-base") is None
