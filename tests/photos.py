"""Small photos, and a folder of them with its CSV."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def jpeg(seed: int, size=(48, 36), **save) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **save)
    return out.getvalue()


def folder_source(root: Path, rows: int = 40, **columns) -> str:
    root.mkdir(exist_ok=True)
    names = [f"{i:02d}.jpg" for i in range(rows)]
    for i, name in enumerate(names):
        (root / name).write_bytes(jpeg(i))
    table = {
        "image": names,
        "label": ["nevus" if i % 4 else "melanoma" for i in range(rows)],
        "patient_id": [f"p{i // 2}" for i in range(rows)],
        "q_age": [str(i) if i % 3 else "" for i in range(rows)],
        "q_parts": ["arm;leg" if i % 2 else "arm" for i in range(rows)],
        "q_sex": ["f" if i % 5 else "" for i in range(rows)],
    }
    pd.DataFrame({**table, **columns}).to_csv(root / "labels.csv", index=False)
    return f"folder:{root}"
