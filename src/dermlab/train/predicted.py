"""What the network predicted of each training row while it was trained: how it is seen that wrong labels are learnt by heart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dermlab.data.tables import LEARNT, write_table
from dermlab.train.inputs import Inputs

NOT_DRAWN = -1


def none_drawn(rows: int) -> torch.Tensor:
    """int16 [N], of an epoch that begins: the class predicted of each row."""
    return torch.full((rows,), NOT_DRAWN, dtype=torch.int16)


def write_learnt(path: Path, inputs: Inputs, history: Sequence[Mapping[str, Any]], predicted: Sequence[torch.Tensor]) -> None:
    """`history`, `predicted`: of the epochs of both phases, as `State` has them."""
    names = np.array([*inputs.classes.names, None], dtype=object)  # the last one is that of NOT_DRAWN
    columns = {f"{row['phase']}_{row['epoch']}": names[of.numpy()] for row, of in zip(history, predicted, strict=True)}
    write_table(path, pd.DataFrame({"image_id": inputs.train.table["image_id"], **columns}), LEARNT)
