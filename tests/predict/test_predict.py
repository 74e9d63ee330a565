"""Photos that were never pulled, by a model folder alone."""

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from elsewhere import dermlab
from model_folder import CLASSES, QUESTIONS, SIDE, large
from photos import jpeg
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from dermlab.cli import app
from dermlab.data.classes import Classes
from dermlab.data.shards import Shards, shard_name, write_shard
from dermlab.evaluate.outputs import predict_logits
from dermlab.model.backbones import create_backbone
from dermlab.model.calibration import Calibration, load_calibration, save_calibration
from dermlab.model.classifier import FusedClassifier
from dermlab.model.images import Views
from dermlab.model.saved import TrainedModel, load_model, save_model
from dermlab.predict.cases import by_case
from dermlab.predict.photos import answers_by_photo, photos_in, read_answers
from dermlab.predict.predictor import MAX_PIXELS, Predictor
from dermlab.predict.table import as_table
from dermlab.pull.develop import develop
from dermlab.run.errors import ContractError, SourceError
from dermlab.scores.cases import Pooling
from dermlab.scores.familiarity import Familiarity
from dermlab.scores.probabilities import probabilities
from dermlab.scores.sets import Sets
from dermlab.scores.tiers import Tiers

HEAVY = (
    "timm", "torchvision", "torch._dynamo", "sympy", "pandas", "pyarrow", "scipy", "sklearn", "accelerate", "transformers", "open_clip",
    "dvc",
)  # fmt: skip


def test_a_photo_like_none_it_was_validated_on_gets_no_answer_whatever_its_confidence(folder):
    model = load_model(folder / "model")
    predictor = Predictor(folder / "model")
    photo = folder / "in" / "0.jpg"
    images = torch.from_numpy(predictor.view(photo.read_bytes()).copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        seen = model.module.backbone(images).numpy()
    for reference, tier in ((seen, "abstain"), (-seen, "unfamiliar")):
        unit = (reference / np.linalg.norm(reference)).astype(np.float16)
        model.calibration = Calibration(familiarity=Familiarity(unit, 0.9))
        save_model(model, folder / "model")
        (found,) = Predictor(folder / "model")([photo])
        assert found.tier == tier
        assert sum(found.probs.values()) == pytest.approx(1, abs=1e-4)
    shown = CliRunner().invoke(app, ["predict", str(photo), "--model", str(folder / "model")]).stdout
    assert "unlike" in shown


def test_what_systems_leave_among_photos_is_not_predicted(tmp_path):
    for name in ("1.jpg", "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", ".hidden/2.jpg", "$RECYCLE.BIN/3.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg(1))
    assert photos_in(tmp_path) == [tmp_path / "1.jpg"]


def test_it_sees_byte_for_byte_what_training_saw_and_predicts_the_same(folder):
    predictor = Predictor(folder / "model")
    photos = photos_in(folder / "in")
    good = [photo for photo in photos if photo.name != "4.jpg"]
    (folder / "shards").mkdir()
    stored = [develop(photo.read_bytes(), SIDE, MAX_PIXELS).jpeg for photo in good]
    write_shard(folder / "shards" / shard_name(0), [str(i) for i in range(len(good))], stored)
    views, shards = Views(Shards(folder / "shards"), 32), Shards(folder / "shards")
    for row, photo in enumerate(good):
        np.testing.assert_array_equal(predictor.view(photo.read_bytes()), views[row, 0, row][1])
    rows = pd.DataFrame({"image_id": [str(i) for i in range(len(good))], "shard": 0, "row": range(len(good)), "q_itching": "yes"})
    rows["q_age"] = 30.0
    expected = probabilities(predict_logits(predictor.model, rows, shards), 1.3)
    found = [p for p in predictor(photos, {str(photo): {"itching": "yes", "age": "30"} for photo in photos}) if not p.error]
    for prediction, row in zip(found, expected, strict=True):
        assert [prediction.probs[name] for name in CLASSES.names] == pytest.approx(row.tolist(), abs=5e-3)
        assert list(prediction.probs.values()) == sorted(prediction.probs.values(), reverse=True)
        assert sum(prediction.probs.values()) == pytest.approx(1, abs=1e-5)


def test_a_photo_that_cannot_be_read_is_told_beside_those_that_can(folder):
    found = {Path(p.photo).name: p for p in Predictor(folder / "model")(photos_in(folder / "in"))}
    assert set(found) == {"0.jpg", "1.jpg", "2.jpg", "3.png", "4.jpg"}
    assert found["4.jpg"].probs == {}
    assert "not" in found["4.jpg"].error
    assert all(not p.error and p.tier for name, p in found.items() if name != "4.jpg")


def test_answers_change_what_is_predicted_and_unknown_ones_are_refused(folder):
    predictor, photo = Predictor(folder / "model"), folder / "in" / "0.jpg"
    csv = folder / "answers.csv"
    csv.write_text("image,q_itching,body_parts,age\n0.jpg,yes,arm|leg,70\n")
    answers = read_answers(csv, QUESTIONS)
    assert answers == {"0.jpg": {"itching": "yes", "body_parts": ("arm", "leg"), "age": "70"}}
    (alone,), (told,) = predictor([photo]), predictor([photo], {str(photo): answers["0.jpg"]})
    assert alone.probs != told.probs
    with pytest.raises(ContractError, match="'sometimes' is not an answer of this question. Valid: no, yes"):
        list(predictor([photo], {str(photo): {"itching": "sometimes"}}))
    csv.write_text("image,itchin\n0.jpg,yes\n")
    with pytest.raises(SourceError, match="column 'itchin' is no question of this model. It asks: itching, body_parts, age"):
        read_answers(csv, QUESTIONS)


def test_the_command_prints_a_table_or_a_line_of_json_a_photo(folder):
    run = CliRunner().invoke(app, ["predict", str(folder / "in" / "0.jpg"), "--model", str(folder / "model")])
    assert run.exit_code == 0, run.output
    assert "0.jpg" in run.output
    assert "the model should" in run.output
    run = CliRunner().invoke(app, ["predict", str(folder / "in"), "--model", str(folder / "model"), "--json"])
    assert run.exit_code == 1  # one could not be read
    lines = [json.loads(line) for line in run.output.splitlines() if line.startswith("{")]
    assert [Path(line["photo"]).name for line in lines] == ["0.jpg", "1.jpg", "2.jpg", "4.jpg", "3.png"]
    assert set(lines[0]["probs"]) == set(CLASSES.names)


def test_a_model_folder_predicts_in_a_project_that_has_no_dvc(folder):
    said = dermlab(folder, "predict", "in/0.jpg", "--model", "model", "--json")
    assert set(json.loads(said)["probs"]) == set(CLASSES.names)


def test_a_line_of_answers_that_is_cut_off_is_told_by_its_number(folder):
    csv = folder / "answers.csv"
    csv.write_text("image,itching,age\n0.jpg,yes,70\n1.jpg,yes\n")
    with pytest.raises(SourceError, match=r"answers.csv: line 3 has not as many fields as the first, which names 3 columns"):
        read_answers(csv, QUESTIONS)
    csv.write_text("")
    with pytest.raises(SourceError, match="needs a column `image`"):
        read_answers(csv, QUESTIONS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image,age\n0.jpg,30\n 0.jpg,40\n", r"answers.csv, line 3: '0.jpg' has a row above already. Give each photo one row"),
        ("image,age,age\n0.jpg,30,40\n", r"answers.csv: column 'age' comes twice"),
        ("image,age,q_age\n0.jpg,30,40\n", r"answers.csv: column 'age' comes twice \(q_age is the same\)"),
    ],
)
def test_answers_that_come_twice_are_refused(folder, text, says):
    csv = folder / "answers.csv"
    csv.write_text(text)
    with pytest.raises(SourceError, match=says):
        read_answers(csv, QUESTIONS)


def test_blanks_around_the_name_of_a_photo_are_no_part_of_it(folder):
    csv = folder / "answers.csv"
    csv.write_text("image,age\n 0.jpg ,30\n")
    assert read_answers(csv, QUESTIONS) == {"0.jpg": {"age": "30"}}


def test_a_row_of_answers_is_of_one_photo():
    photos = [Path("p1/1.jpg"), Path("p2/1.jpg"), Path("p2/2.jpg")]
    found = answers_by_photo(photos, {"p1/1.jpg": {"age": "30"}, "2.jpg": {"age": "40"}})
    assert found == {"p1/1.jpg": {"age": "30"}, "p2/1.jpg": {}, "p2/2.jpg": {"age": "40"}}
    with pytest.raises(SourceError, match=r"for '1.jpg' may be those of p1/1.jpg or of p2/1.jpg. Name the photos by their paths"):
        answers_by_photo(photos, {"1.jpg": {"age": "30"}})
    with pytest.raises(SourceError, match=r"p2/2.jpg has two rows of answers, by its path and as '2.jpg'"):
        answers_by_photo(photos, {"p2/2.jpg": {"age": "30"}, "2.jpg": {"age": "40"}})


def predict(folder: Path, *typed: str | Path) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, typed), "--model", str(folder / "model")])


def test_what_cannot_be_predicted_at_all_ends_in_a_sentence(folder):
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    for name in ("a.jpg", "b.png"):
        (folder / "broken" / name).write_bytes(b"<html>not found")
    for asked, said in (
        (folder / "nowhere.jpg", "nowhere.jpg does not exist."),
        (folder / "empty", r"empty holds no photos \(\.jpg, "),
        (folder / "in" / "notes.txt", "notes.txt: not an image."),
        (folder / "broken", "None of the 2 photos of .*broken could be read. .*a.jpg: not an image we read .a web page"),
    ):
        run = predict(folder, asked)
        assert isinstance(run.exception, SourceError), asked
        assert re.search(said, str(run.exception)), (asked, run.exception)


def test_a_model_folder_that_is_not_whole_says_what_is_missing_and_what_makes_it(folder):
    photo = folder / "in" / "0.jpg"
    (folder / "model" / "calibration.json").unlink()
    run = predict(folder, photo)
    assert isinstance(run.exception, ContractError)
    assert "without calibration.json. Run `dvc repro calibrate`" in str(run.exception)
    (folder / "model" / "model.json").unlink()
    assert "model.json does not exist" in str(predict(folder, photo).exception)


def test_a_model_of_the_format_before_predicts_as_it_did(folder):
    model = load_model(folder / "model")
    reference = np.eye(2, model.module.backbone.features, dtype=np.float16)
    model.calibration = Calibration(1.3, tiers=Tiers(0.5, 0.9), familiarity=Familiarity(reference, -1.0))
    save_model(model, folder / "model")
    photo = folder / "in" / "0.jpg"
    now = predict(folder, photo, "--json").stdout
    described = json.loads((folder / "model" / "model.json").read_text())
    described |= {"format": 4, "temperature": 1.3, "tau": 0.0, "tiers": asdict(Tiers(0.5, 0.9)), "familiarity": -1.0}
    (folder / "model" / "model.json").write_text(json.dumps(described))
    weights = folder / "model" / "model.safetensors"
    save_file({**load_file(weights), "familiarity.reference": torch.from_numpy(reference)}, weights)
    for name in ("calibration.json", "familiarity.safetensors"):
        (folder / "model" / name).unlink()
    run = predict(folder, photo, "--json")
    assert run.exit_code == 0, run.output
    assert run.stdout == now


def test_it_says_which_model_spoke(folder):
    model = load_model(folder / "model")
    model.recipe = {"loss": "focal", "seed": 18}
    save_model(model, folder / "model")
    photo = folder / "in" / "0.jpg"
    assert "Model: timm:test_efficientnet at 32 px, loss focal, seed 18\n" in predict(folder, photo).stdout
    (folder / "model" / "README.md").write_text("---\nvariant: cleaned+rebalanced\nloss: focal\n---\n\n# Model card\n")
    shown = predict(folder, photo, "--json")
    assert "Model: timm:test_efficientnet at 32 px, variant cleaned+rebalanced, loss focal, seed 18\n" in shown.stderr
    assert len(shown.stdout.splitlines()) == 1
    assert json.loads(shown.stdout)["probs"]


def test_what_a_stranger_wrote_beside_a_model_does_not_command_the_terminal(folder):
    (folder / "model" / "README.md").write_text("---\nvariant: \x1b[2Jcleaned\n---\n")
    assert "variant [2Jcleaned" in Predictor(folder / "model").described


def test_photos_of_a_large_model_are_taken_fewer_at_once(folder, monkeypatch):
    taken = []
    monkeypatch.setattr(Predictor, "_batch", lambda self, batch, answers: iter([taken.append(len(batch))]))
    predictor = Predictor(folder / "model")
    for side in (32, 448, 896, 2048):
        predictor.model.image_size = side
        monkeypatch.setattr(Predictor, "_read", lambda self, name: None)
        next(predictor(["x.jpg"] * 100))
    assert taken == [64, 64, 16, 3]


def test_a_prediction_of_the_default_backbone_imports_no_more_than_it_needs(tmp_path):
    module = FusedClassifier(create_backbone("lite0", 64, pretrained=False), 0, 3).eval()
    save_model(TrainedModel(module, Classes(("acne", "wart")), (), 64, "lite0", np.ones(3) / 3), tmp_path / "model")
    (tmp_path / "0.jpg").write_bytes(large(0))
    code = (
        "import sys; from dermlab.cli import app; app(sys.argv[1:], standalone_mode=False);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "predict", str(tmp_path / "0.jpg"), "--model", str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "the model should" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_card_in_another_encoding_and_a_folder_for_a_file_end_in_words(folder):
    (folder / "model" / "README.md").write_bytes(b"---\nvariant: \xe9\n")
    assert Predictor(folder / "model").described.startswith("timm:test_efficientnet at 32 px")
    (folder / "model" / "calibration.json").unlink()
    (folder / "model" / "calibration.json").mkdir()
    with pytest.raises(ContractError, match=r"calibration.json is no file"):
        Predictor(folder / "model")


def test_weights_that_answer_with_no_numbers_predict_nothing(folder):
    predictor = Predictor(folder / "model")
    for weights in predictor.model.module.head.parameters():
        weights.data.fill_(torch.nan)
    with pytest.raises(ContractError, match="answers with no numbers"):
        list(predictor([folder / "in" / "0.jpg"]))


def said(*command: str) -> str:
    done = CliRunner().invoke(app, ["predict", *command])
    assert not done.exception or isinstance(done.exception, SystemExit), done.exception
    return done.output


def objects(*command: str) -> list[dict]:
    return [json.loads(line) for line in said(*command, "--json").splitlines() if line.startswith("{")]


def test_photos_of_one_case_get_one_answer_beside_their_own(folder):
    """By the pooling that validation chose; a photo that cannot be read counts for nothing."""
    model = load_model(folder / "model")
    save_calibration(replace(model.calibration, pooling=Pooling("logmean", 1.0), case_tiers=Tiers(0.99, 0.9)), folder / "model")
    photos = [str(folder / "in" / name) for name in ("0.jpg", "1.jpg", "4.jpg")]
    (case,) = (
        json.loads(line) for line in said(*photos, "--case", "--json", "--model", str(folder / "model")).splitlines() if line[0] == "{"
    )
    alone = [photo for photo in case["photos"] if not photo["error"]]
    assert [photo["photo"] for photo in case["photos"]] == photos
    assert case["photos"][2]["error"]
    product = {name: alone[0]["probs"][name] * alone[1]["probs"][name] for name in CLASSES.names}
    assert case["probs"] == {name: pytest.approx(value / sum(product.values()), rel=1e-5) for name, value in product.items()}
    likeliest = next(iter(case["probs"]))
    assert case["disagree"] == [photo["photo"] for photo in alone if next(iter(photo["probs"])) != likeliest]
    table = said(*photos, "--case", "--model", str(folder / "model"))
    assert "not read" in table
    assert table.index("case") < table.index("0.jpg") < table.index("1.jpg")


def test_a_case_of_one_photo_has_the_photos_answer_and_cases_come_from_a_column(folder):
    answers = folder / "answers.csv"
    answers.write_text("image,case_id,age\n0.jpg,A,30\n1.jpg,B,40\n2.jpg,A,30\n3.png,C,\n4.jpg,B,\n")
    command = (str(folder / "in"), "--answers", str(answers), "--model", str(folder / "model"))
    photos = {Path(found["photo"]).name: found for found in objects(*command)}
    cases = {found["case"]: found for found in objects(*command, "--case")}
    assert {case: len(found["photos"]) for case, found in cases.items()} == {"A": 2, "B": 2, "C": 1}
    for case, photo in (("C", "3.png"), ("B", "1.jpg")):  # the other photo of B is broken
        assert cases[case]["probs"] == photos[photo]["probs"]
        assert cases[case]["tier"] == photos[photo]["tier"]
    answers.write_text("image,case_id\n0.jpg,A\n")
    refused = CliRunner().invoke(app, ["predict", *command, "--case"])
    assert "has no case_id, and other photos have" in str(refused.exception)


def test_a_set_of_candidates_is_given_where_validation_chose_one(folder):
    before = next(Predictor(folder / "model")([folder / "in" / "0.jpg"]))
    assert before.candidates == ()
    calibration = load_calibration(folder / "model")
    sets = Sets(0.9, (1.0, 1.0, 0.0, 0.5), ("own",) * 4)
    save_calibration(replace(calibration, sets=sets, case_sets=Sets(0.9, (1.0,) * 4, ("all",) * 4)), folder / "model")
    predictor = Predictor(folder / "model")
    photos = [folder / "in" / "0.jpg", folder / "in" / "1.jpg"]
    for prediction in predictor(photos):
        mass, expected = 0.0, []
        for name, share in prediction.probs.items():
            if mass <= sets.thresholds[CLASSES.names.index(name)]:
                expected.append(name)
            mass += share
        assert prediction.candidates == tuple(expected)
        assert prediction.candidates[0] == prediction.top3[0][0]
    (case,) = by_case(list(predictor(photos)), {str(photo): "one" for photo in photos}, predictor.model)
    assert case.candidates == tuple(case.probs)
    table = as_table(list(predictor(photos)), folder, 0.9)
    assert [column.header for column in table.columns][-1] == "90%: one of"
    assert len(as_table(list(predictor(photos)), folder).columns) == 5
