import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from dermlab.model.backbones import create_backbone
from dermlab.model.text import has_text, text_features
from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.run.errors import SourceError

PROMPTS = ["a photo of human skin", "a photo of a scanned document", "furniture"]
WORDS = ["<pad>", "</s>", "<unk>", "a", "photo", "of", "human", "skin", "scanned", "document", "furniture"]


@pytest.mark.parametrize("backbone", ["lite0", "timm:resnet10t"])
def test_backbones_of_images_alone_have_no_text(backbone):
    assert not has_text(backbone)


def test_dual_encoders_have_text_and_are_not_fetched_to_find_out():
    assert has_text("medsiglip")
    assert has_text("open_clip:ViT-B-32/openai")


def test_of_hf_models_only_siglip_compares_text_with_the_features_that_are_cached(siglip, clip_of_transformers):
    assert has_text(siglip[0])
    assert not has_text(clip_of_transformers)


def test_prompts_and_images_of_an_open_clip_model_give_its_own_logits(tiny_clip):
    import open_clip

    name, _, weights = tiny_clip.removeprefix("open_clip:").partition("/")
    whole = open_clip.create_model(name, pretrained=weights).eval()
    images = torch.randint(0, 255, (4, 3, 64, 64), dtype=torch.uint8)
    backbone = create_backbone(tiny_clip, 64).eval()
    texts = text_features(tiny_clip, PROMPTS)
    with torch.inference_mode():
        unit = torch.nn.functional.normalize(backbone(images), dim=1).numpy()
        expected, _ = whole.get_logits((images.float() / 255 - backbone.mean) / backbone.std, open_clip.get_tokenizer(name)(PROMPTS))
    assert texts.vectors.shape == (3, backbone.features) == (3, 48)
    assert texts.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)  # an untrained CLIP's temperature
    np.testing.assert_allclose(texts.logit_scale * unit @ texts.vectors.T, expected, atol=1e-4)


def test_vectors_have_length_one_and_do_not_depend_on_the_batch(tiny_clip, monkeypatch):
    together = text_features(tiny_clip, PROMPTS).vectors
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    monkeypatch.setattr("dermlab.model.text.TEXTS_AT_ONCE", 2)
    np.testing.assert_allclose(text_features(tiny_clip, PROMPTS).vectors, together, atol=1e-5)


def save_words(folder):
    """A tokenizer of whole words that pads with the end of sequence, as SigLIP's does."""
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="</s>", eos_token="</s>", unk_token="<unk>").save_pretrained(folder)


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    """(name of the backbone, the whole model) of a small SigLIP with random weights."""
    declare_missing_operators()
    from transformers import SiglipConfig, SiglipModel

    folder = tmp_path_factory.mktemp("siglip")
    tower = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    text = {**tower, "vocab_size": len(WORDS), "bos_token_id": 1, "eos_token_id": 1}
    torch.manual_seed(0)
    whole = SiglipModel(SiglipConfig(text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 8})).eval()
    whole.logit_scale.data.fill_(math.log(50.0))
    whole.save_pretrained(folder)
    pixels = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "image_processor_type": "SiglipImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    save_words(folder)
    return f"hf:{folder}", whole


def padded(prompts: list[str], length: int = 64) -> torch.Tensor:
    return torch.tensor([[WORDS.index(w) for w in p.split()] + [1] * (length - len(p.split())) for p in prompts])


def test_prompts_and_images_of_a_siglip_model_give_its_own_logits_but_for_the_bias(siglip):
    name, whole = siglip
    images = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)
    texts = text_features(name, PROMPTS)
    with torch.inference_mode():
        unit = torch.nn.functional.normalize(create_backbone(name, 32).eval()(images), dim=1).numpy()
        out = whole(input_ids=padded(PROMPTS), pixel_values=(images / 255 - 0.5) / 0.5)
    assert texts.logit_scale == pytest.approx(50)
    np.testing.assert_allclose(texts.logit_scale * unit @ texts.vectors.T, out.logits_per_image - whole.logit_bias.item(), atol=1e-3)


def test_siglip_reads_texts_padded_to_the_length_it_was_trained_at(siglip):
    name, whole = siglip
    with torch.inference_mode():
        long, short = (whole.text_model(input_ids=padded(["furniture"], length)).pooler_output for length in (64, 3))
        ours = torch.from_numpy(text_features(name, ["furniture"]).vectors)
    torch.testing.assert_close(ours, torch.nn.functional.normalize(long, dim=1))
    assert not torch.allclose(ours, torch.nn.functional.normalize(short, dim=1), atol=1e-2)


def test_capitals_do_not_matter(siglip):
    np.testing.assert_array_equal(text_features(siglip[0], ["A Photo"]).vectors, text_features(siglip[0], ["a photo"]).vectors)


def test_weights_missing_from_the_text_tower_are_an_error(siglip, tmp_path):
    siglip[1].save_pretrained(tmp_path)
    save_words(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({k: v for k, v in weights.items() if k != "text_model.head.bias"}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(SourceError, match=r"lacks 1 weights of its two towers, such as text_model.head.bias"):
        text_features(f"hf:{tmp_path}", PROMPTS)


def test_medsiglips_kind_of_tokenizer_drops_punctuation_and_pads_with_the_end_of_sequence(siglip, tmp_path):
    """google/medsiglip-448 brings a SentencePiece vocabulary, which transformers reads with sentencepiece and protobuf."""
    sentencepiece = pytest.importorskip("sentencepiece")
    pytest.importorskip("google.protobuf")
    (tmp_path / "texts").write_text("\n".join(PROMPTS * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "texts"), model_prefix=str(tmp_path / "spiece"), vocab_size=24, minloglevel=2,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
    )  # fmt: skip
    from transformers import SiglipModel

    config = siglip[1].config.to_dict()
    config["text_config"]["vocab_size"] = 24
    SiglipModel(siglip[1].config.__class__.from_dict(config)).save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "SiglipTokenizer"}))
    one, same, other = text_features(f"hf:{tmp_path}", ["a photo of human skin", "A photo, of human skin!", "furniture"]).vectors
    np.testing.assert_allclose(one, same, atol=1e-6)
    assert not np.allclose(one, other, atol=1e-2)
