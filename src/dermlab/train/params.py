"""The knobs of `train`."""

from typing import Annotated, Literal

from pydantic import Field

from dermlab.model.names import BackboneName
from dermlab.run.params import Block, Count, Share, StageParams, Whole, choice_of

LOSSES = ("ce", "focal", "bce", "balanced_softmax", "logit_adjusted")  # their functions stand in `losses`, which needs torch


class TrainParams(Block):
    frozen_epochs: Count
    finetune_epochs: Count
    batch_size: Annotated[Whole, Field(ge=2)]
    head_lr: Annotated[float, Field(gt=0)]
    lr: Annotated[float, Field(gt=0)]
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Share
    trainable_blocks: Count
    ema: Share
    dropout: Share
    questions: Annotated[str, Field(min_length=1)]
    question_dropout: Share
    label_smoothing: Share
    focal_gamma: Annotated[float, Field(ge=0)]
    logit_tau: Annotated[float, Field(ge=0)]
    precision: Literal["auto", "fp32", "bf16"]


class Params(StageParams):
    loss: Annotated[str, choice_of(LOSSES)]
    backbone: BackboneName
    seed: Count
    train: TrainParams
