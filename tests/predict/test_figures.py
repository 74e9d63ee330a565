"""The figures for a paper: what the files are, and that they hold no more than they show."""

import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from dermlab.cli.model import export
from dermlab.data.tables import PREDICTIONS, write_table
from dermlab.predict.figures import FIGURES, _corners, write_figures
from dermlab.run import paths
from dermlab.run.errors import ContractError

OUT = Path("figures")


def content(path: Path) -> bytes:
    """The file, and what lies compressed in it."""
    data = path.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    return data + b"".join(zlib.decompress(stream) for stream in streams if stream[:1] == b"\x78")


def test_every_figure_is_a_pdf_and_an_svg_of_vectors_with_its_fonts_that_names_no_patient_and_no_photo(world):
    written = write_figures(OUT)
    figures = [path for path in written if path.suffix in (".pdf", ".svg")]
    assert [path.name for path in figures] == [f"{name}.{kind}" for name in FIGURES for kind in ("pdf", "svg")]
    for path in figures:
        data = content(path)
        if path.suffix == ".pdf":
            assert data.startswith(b"%PDF")
            assert b"/FontFile2" in data
            assert b"/Subtype /Image" not in data
        else:
            assert b"<svg" in data
            assert b"<image" not in data
        assert not re.search(rb"secret|img0|case\d|20\d\d-\d\d", data)
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", (OUT / "f1.pdf").read_bytes())
    assert float(box[1]) / 72 == pytest.approx(3.3)


def test_the_same_predictions_give_the_same_bytes(world):
    first = {path.name: path.read_bytes() for path in write_figures(OUT)}
    assert {path.name: path.read_bytes() for path in write_figures(Path("again"))} == first


def test_export_writes_figures_where_there_is_no_model(world, capsys):
    export(model=paths.MODEL, out=Path("model.onnx"), figures=OUT)
    assert "export: 14 figures and tables in figures: confusion.pdf" in capsys.readouterr().out
    assert not Path("model.onnx").exists()
    paths.PREDICTIONS.unlink()
    with pytest.raises(ContractError, match="predictions.parquet does not exist"):
        export(model=paths.MODEL, out=Path("model.onnx"), figures=OUT)


def test_a_class_without_test_photos_is_in_no_curve_and_ends_nothing(world):
    write_table(paths.PREDICTIONS, world.predictions[world.predictions["label"] != "tinea"], PREDICTIONS)
    assert sum(path.suffix in (".pdf", ".svg") for path in write_figures(OUT)) == 2 * len(FIGURES)


def test_a_curve_keeps_the_first_and_last_precision_of_every_recall():
    line = [(0, 1), (0.5, 1), (0.5, 0.5), (0.5, 0.33), (1, 0.5), (1, 0.4), (1, 0.33)]
    np.testing.assert_allclose(_corners(line), [[0, 0.5, 0.5, 1], [1, 1, 0.33, 0.5]])
