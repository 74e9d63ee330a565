"""The knobs of `train`."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from dermlab.model.names import BackboneName
from dermlab.run.params import Block, Count, Positive, Share, StageParams, Whole, choice_of

LOSSES = ("ce", "focal", "bce", "balanced_softmax", "logit_adjusted", "gce", "elr")  # their functions stand in `losses`, which needs torch
CONVEX = ("ce", "bce", "balanced_softmax", "logit_adjusted")  # in the logits


class TrainParams(Block):
    frozen_epochs: Count
    """Epochs of the head on cached features."""
    frozen_solver: Literal["adamw", "lbfgs"]
    """How the head learns there: `adamw`, by epochs; or `lbfgs`, in one fit of seconds without epochs, rate or dropout, its L2 penalty
    chosen on validation (with `frozen_epochs=0` in none). `lbfgs` takes losses that are convex in the logits: `ce`, `bce`,
    `balanced_softmax`, `logit_adjusted`."""
    finetune_epochs: Count
    """Epochs of the network end to end, on augmented photos."""
    batch_size: Annotated[Whole, Field(ge=2)]
    """Rows of a step, of all GPUs together; where they do not fit, they are taken in passes."""
    head_lr: Annotated[float, Field(gt=0)]
    """Peak learning rate of the head (AdamW, warm-up, half a cosine)."""
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate of the last block of the backbone."""
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    """Each block before learns at so much of the next one's rate."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Of AdamW; biases and norms do not decay."""
    warmup: Share
    """Share of the steps in which the rate rises."""
    trainable_blocks: Count
    """So many last blocks of the backbone are fine-tuned; 0: all."""
    adapt: Literal["full", "lora"]
    """What of these blocks is fine-tuned: their weights, or `lora`, thin matrices beside their linear layers (Hu et al. 2022), which are
    merged into them at the end. With `finetune_epochs=0` nothing is, and `lora` is refused."""
    lora_rank: Positive
    """Of `lora`: the width of these matrices."""
    lora_alpha: Annotated[float, Field(gt=0)]
    """Of `lora`: what they add is scaled by so much over the rank."""
    ema: Share
    """Of fine-tuning: decay a step of the average of the weights that is validated and kept instead of the last ones; 0: none."""
    dropout: Share
    """Of the head's inputs."""
    questions: Annotated[str, Field(min_length=1)]
    """`all`, `none`, or the names of some joined by `|`: the part of the questionnaire that the model is given."""
    question_dropout: Share
    """Share of training rows whose questionnaire is hidden, so that a photo alone works too."""
    label_smoothing: Share
    """Composes with every loss (Szegedy et al. 2016)."""
    focal_gamma: Annotated[float, Field(ge=0)]
    """Of `focal`."""
    logit_tau: Annotated[float, Field(ge=0)]
    """Of `logit_adjusted`."""
    gce_q: Annotated[float, Field(gt=0, le=1)]
    """Of `gce`: towards 0 it is the cross entropy, at 1 the mean absolute error, which wrong labels move least."""
    elr_lambda: Annotated[float, Field(ge=0)]
    """Of `elr`: how strongly a row is held to what was predicted of it before."""
    elr_beta: Share
    """Of `elr`: how much of that average stays when the row is drawn again."""
    precision: Literal["auto", "fp32", "bf16"]
    """Number format of training: `auto` takes bf16 on a GPU that has it."""


class Params(StageParams):
    loss: Annotated[str, choice_of(LOSSES)]
    """`ce`, `focal` (Lin et al. 2017), `bce`, `balanced_softmax` (Ren et al. 2020), `logit_adjusted` (Menon et al. 2021); where labels are
    wrong `gce` (Zhang & Sabuncu 2018) and `elr` (Liu et al. 2020); label smoothing composes with each."""
    backbone: BackboneName
    """`lite0` (EfficientNet-Lite0, whose weights come with the installation), `medsiglip`, `open_clip:<model>/<pretrained>`,
    `timm:<name>`, `hf:<name>`, `open_clip:hf-hub:<org>/<name>`, `timm:hf-hub:<org>/<name>`; the last three with or without
    `@<revision>`."""
    seed: Count
    """Of training, of the draw of `other`, of the held-out fold, of the photos that say what is familiar, of the folds of validation
    patients on which a chosen tau is tried (`chosen_tau_holds`), and of the validation patients who say which classes share a threshold of
    the sets, and of the report's resamples; data and the flags' folds have seeds of their own."""
    train: TrainParams

    @field_validator("train")
    @classmethod
    def _fits_the_rest(cls, value: TrainParams, earlier: ValidationInfo) -> TrainParams:
        if value.frozen_epochs + value.finetune_epochs == 0:
            raise ValueError("frozen_epochs and finetune_epochs are both 0: there is nothing to train. Valid: 1 or more of either")
        if value.adapt == "lora" and earlier.data.get("backbone") == "lite0":  # other networks show it once they are built
            raise ValueError("adapt: lora needs linear layers, and the blocks of lite0 have none. Valid with it: full; or choose a ViT")
        if value.adapt == "lora" and not value.finetune_epochs:
            raise ValueError("adapt: lora is a way to fine-tune, and finetune_epochs is 0. Valid with it: full; or 1 or more epochs")
        loss = earlier.data.get("loss", CONVEX[0])  # one that is unknown is told of by itself
        if value.frozen_solver == "lbfgs" and loss not in CONVEX:
            raise ValueError(
                f"frozen_solver: lbfgs needs a loss that is convex in the logits, and {loss} is not. Valid with it: adamw; or choose a "
                f"loss that is: {', '.join(CONVEX)}"
            )
        return value
