import numpy as np
import pytest
import torch

from dermlab.flag.garbage import averaged, not_skin_scorer, prompt_score
from dermlab.flag.not_skin import not_skin_score
from dermlab.flag.params import FlagParams
from dermlab.model.backbones import create_backbone
from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.run.errors import ContractError, ParamsError, SourceError

SKIN, DOCUMENT = np.eye(2, dtype=np.float32)[:1], np.eye(2, dtype=np.float32)[1:]
PARAMS = FlagParams(
    method="posterior", probs="oof", folds=5, repeats=1, seed=17, l2=10.0, expected_noise=0.1, precision=0.8, neighbours=5, phash_bits=6,
    max_leak=0.02, garbage="auto",
    skin_prompts="human skin | a rash", not_skin_prompts="a scanned document | furniture | an animal",
    prompt_templates="a photo of {} | {} on a table",
)  # fmt: skip


def asked(garbage: str) -> FlagParams:
    return PARAMS.model_copy(update={"garbage": garbage})


def test_the_score_is_the_softmax_over_scaled_cosine_similarities():
    score = prompt_score(np.array([[3.0, 4.0], [0.4, 0.3]]), SKIN, DOCUMENT, logit_scale=5.0)
    np.testing.assert_allclose(score, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], rtol=1e-6)
    assert score.dtype == np.float32


def test_the_probabilities_of_all_prompts_against_skin_are_added():
    score = prompt_score(np.array([[0.0, 2.0]]), SKIN, np.repeat(DOCUMENT, 3, axis=0), logit_scale=2.0)
    np.testing.assert_allclose(score, 3 * np.exp(2) / (3 * np.exp(2) + 1), rtol=1e-6)


def test_a_photo_that_fits_every_prompt_alike_has_the_share_of_the_prompts_against_skin():
    same = np.repeat(SKIN, 3, axis=0)
    np.testing.assert_allclose(prompt_score(SKIN, same[:1], same[1:], logit_scale=100.0), 2 / 3, rtol=1e-6)


def test_a_scale_as_large_as_clip_learns_neither_overflows_nor_leaves_the_unit_interval():
    score = prompt_score(np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float16), SKIN, DOCUMENT, logit_scale=1000.0)
    assert score.tolist() == [0, 1]


def test_a_prompt_is_the_mean_over_its_templates_scaled_to_length_one():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.6, 0.8]], dtype=np.float32)
    np.testing.assert_allclose(averaged(vectors, templates=2), [[2**-0.5, 2**-0.5], [0.6, 0.8]], rtol=1e-6)


def test_features_of_another_model_than_the_prompts_are_an_error():
    with pytest.raises(ContractError, match="3 features an image and the backbone's text tower 2.*dvc repro embed"):
        prompt_score(np.ones((4, 3)), SKIN, DOCUMENT, 1.0)


def test_photos_are_scored_end_to_end_as_the_open_clip_model_itself_would(tiny_clip):
    declare_missing_operators()
    import open_clip

    name, _, weights = tiny_clip.removeprefix("open_clip:").partition("/")
    whole, tokens = open_clip.create_model(name, pretrained=weights).eval(), open_clip.get_tokenizer(name)
    prompts = ["human skin", "a rash", "a scanned document", "furniture", "an animal"]
    images = torch.randint(0, 255, (6, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    backbone = create_backbone(tiny_clip, 64).eval()
    with torch.inference_mode():
        features = backbone(images)
        classes = sum(whole.encode_text(tokens([t.format(p) for p in prompts]), True) for t in ("a photo of {}", "{} on a table"))
        logits = whole.logit_scale.exp() * torch.nn.functional.normalize(features) @ torch.nn.functional.normalize(classes).T
    score = not_skin_scorer(tiny_clip, asked("prompts"))(features.numpy().astype(np.float16))
    assert score.shape == (6,)
    np.testing.assert_allclose(score, logits.softmax(1)[:, 2:].sum(1), atol=2e-3)


def test_a_photo_that_matches_a_prompt_is_told_by_it(tiny_clip):
    from dermlab.model.text import text_features

    params = asked("auto").model_copy(update={"prompt_templates": "{}", "skin_prompts": "human skin", "not_skin_prompts": "a cow"})
    texts = text_features(tiny_clip, ["human skin", "a cow"])
    skin, cow = not_skin_scorer(tiny_clip, params)(3 * texts.vectors)
    gap = texts.logit_scale * (1 - texts.vectors[0] @ texts.vectors[1])
    np.testing.assert_allclose([skin, cow], [1 / (1 + np.exp(gap)), 1 / (1 + np.exp(-gap))], rtol=1e-3)


def test_a_backbone_that_reads_no_text_falls_back_to_distance_and_says_so(capsys, clip_of_transformers):
    for backbone in ("lite0", clip_of_transformers):
        assert not_skin_scorer(backbone, asked("auto")) is not_skin_score
        assert f"distance from the bulk of the images: {backbone} reads no text" in capsys.readouterr().out


def test_distance_can_be_asked_for_and_fetches_nothing():
    assert not_skin_scorer("open_clip:ViT-B-32/openai", asked("distance")) is not_skin_score


def test_prompts_for_a_backbone_that_reads_no_text_are_an_error_that_says_what_to_do(clip_of_transformers):
    with pytest.raises(ParamsError, match="no such model. Use `-S flag.garbage=distance`, or a backbone that reads text: medsiglip"):
        not_skin_scorer(clip_of_transformers, asked("prompts"))


def test_a_text_tower_that_cannot_be_fetched_is_an_error_and_never_another_score(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(SourceError, match=r"medsiglip could not be fetched.*`-S flag.garbage=distance`"):
        not_skin_scorer("medsiglip", asked("auto"))
