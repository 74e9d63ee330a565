"""Several labels of one photo: weights in columns or in a cell, or a row a rater."""

import pytest
from sources import ROWS, scan, source, table_of

from dermlab.run.errors import SourceError


def weighted(rows, header="image,label_1,weight_1,label_2,weight_2,patient_id"):
    return table_of(header, [(image, *of, patient) for (image, _, patient), of in zip(ROWS, rows, strict=True)])


PLAIN = [("nevus", "1", "", "")] * 4 + [("eczema", "1", "", "")] * 3


@pytest.mark.parametrize(
    ("header", "row", "shares", "votes"),
    [
        (
            "image,label_1,weight_1,label_2,weight_2,patient_id",
            ("eczema", "0.25", "nevus", "0.75"),
            (("nevus", 0.75), ("eczema", 0.25)),
            None,
        ),
        ("image,dx1,votes1,dx2,votes2,patient_id", ("eczema", "1", "nevus", "3"), (("nevus", 0.75), ("eczema", 0.25)), 4),
        ("image,Label 1,Votes 1,Label 2,Votes 2,patient_id", ("eczema", "2", "nevus", "0"), None, 2),
        ("image,label_1,weight_1,label_2,weight_2,patient_id", ("Eczema", "1", "eczema", "1"), None, None),
        ("image,label_1,weight_1,label_2,weight_2,patient_id", ("nevus", "0.5", "eczema", "0.5"), (("eczema", 0.5), ("nevus", 0.5)), None),
    ],
)
def test_labels_with_weights_beside_them_are_shares_and_votes_are_counted(tmp_path, header, row, shares, votes):
    manifest = scan(source(tmp_path, weighted([*PLAIN, row], header))).manifest.set_index("key")
    assert manifest.loc["07.jpg", "diagnoses"] == shares
    assert manifest.loc["07.jpg", "diagnosis"] == (shares[0][0] if shares else "eczema")
    assert manifest.loc["07.jpg", "votes"] == votes or (votes is None and manifest["votes"].isna().all())
    assert manifest.loc[manifest.index != "07.jpg", "diagnoses"].isna().all()


@pytest.mark.parametrize("cell", ['{"nevus": 3, "eczema": 1}', "{'nevus': 3, 'eczema': 1}"])
def test_a_cell_of_weights_is_read_and_a_label_alone_is_all_of_it(tmp_path, cell, capsys):
    rows = [(image, cell if image == "01.jpg" else label, patient) for image, label, patient in ROWS]
    manifest = scan(source(tmp_path, table_of("image;label;patient_id", [(";".join(row),) for row in rows]))).manifest.set_index("key")
    assert manifest.loc["01.jpg", "diagnoses"] == (("nevus", 0.75), ("eczema", 0.25))
    assert manifest["votes"].isna().all()
    assert manifest["diagnosis"].value_counts().to_dict() == {"nevus": 5, "eczema": 3}
    assert (
        "the table gives 9 labels of 8 photos (weights are shares): 1 has different ones, which are all kept; the label is the one"
        in capsys.readouterr().out
    )


RATED = [(image, label, patient, rater) for image, label, patient in ROWS for rater in ("Zoe", "Ann")]
HEADER = "image,label,patient_id,rater"


def test_a_row_a_rater_is_one_photo_and_nobody_is_named(tmp_path, capsys):
    rows = [(i, "nevus" if (i, r) == ("01.jpg", "Ann") else label, p, r) for i, label, p, r in RATED]
    rows.append(("01.jpg", "nevus", "P0", "Bob"))
    manifest = scan(source(tmp_path, table_of(HEADER, rows))).manifest.set_index("key")
    assert len(manifest) == 8
    assert manifest.loc["01.jpg", "diagnosis"] == "nevus"
    assert dict(manifest.loc["01.jpg", "diagnoses"]) == pytest.approx({"nevus": 2 / 3, "eczema": 1 / 3})
    assert manifest.loc["01.jpg", "raters"] == (("1", "nevus"), ("2", "nevus"), ("3", "eczema"))  # Ann, Bob, Zoe
    assert manifest["votes"].tolist() == [2, 3, 2, 2, 2, 2, 2, 2]
    assert not any(name in str(manifest.to_dict()) for name in ("Zoe", "Ann", "Bob"))
    assert "3 raters gave 17 labels of 8 photos (each label is one opinion): 1 has different ones" in capsys.readouterr().out


def test_raters_who_speak_of_different_photos_are_no_reason_to_ask(tmp_path, capsys):
    """A column of who labelled, where each photo has one row: as any column that is passed over."""
    manifest = scan(source(tmp_path, table_of(HEADER, [(*row, "Ann") for row in ROWS]))).manifest
    assert "diagnoses" not in manifest
    assert "columns passed over: rater" in capsys.readouterr().out


def test_a_tie_is_said_and_a_label_that_is_nobodys_first_joins_other(tmp_path, capsys):
    rows = [*PLAIN, ("nevus", "1", "wart", "0.5")]
    scan(source(tmp_path, weighted([*rows[:6], ("nevus", "0.5", "eczema", "0.5"), rows[7]])))
    said = capsys.readouterr().out
    assert "in 1 photo labels have the same weight: the label is the first of them by its name" in said
    assert "joins `other`, since no photo has it for its label: wart 1" in said


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("nevus", "-1", "", ""), "line 9, column weight_1: '-1' is no weight"),
        (("nevus", "nan", "", ""), "line 9, column weight_1: 'nan' is no weight"),
        (("nevus", "inf", "", ""), "line 9, column weight_1: 'inf' is no weight"),
        (("nevus", "", "", ""), "line 9, column weight_1: is empty"),
        (("nevus", "0", "eczema", "0"), "line 9, column label_1, label_2: no label has a weight above 0"),
        (("nevus", "1", "", "0.5"), "line 9, column label_2: is empty, and weight_2 has a weight"),
        (("", "", "", ""), "line 9, column label_1, label_2: no label has a weight above 0"),
        (("nevus", "1", "n/a", "1"), "line 9, column label: 'n/a' is no label"),
        (("nevus", "1", "drop", "1"), "line 9: a class cannot be named 'drop'"),
    ],
)
def test_a_weight_that_is_none_is_refused_with_its_line(tmp_path, row, says):
    with pytest.raises(SourceError, match=says):
        scan(source(tmp_path, weighted([*PLAIN, row])))


@pytest.mark.parametrize(
    "cell", ['{"nevus": }', '{"nevus": 1, "nevus": 2}', '{"": 1}', "{nevus: 1}", '{"nevus": "x"}', '{"nevus": -1}', "{}"]
)
def test_a_cell_that_is_no_weights_is_refused_with_its_line(tmp_path, cell):
    rows = [(image, cell if image == "07.jpg" else label, patient) for image, label, patient in ROWS]
    with pytest.raises(SourceError, match="line 9, column label"):
        scan(source(tmp_path, table_of("image;label;patient_id", [(";".join(row),) for row in rows])))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([*RATED, ("07.jpg", "nevus", "P3", "Ann")], "lines 17, 18: one rater speaks 2 times of one photo"),
        ([*RATED, ("07.jpg", "nevus", "P3", "")], "line 18, column rater: names nobody"),
        ([*RATED, ("07.jpg", "nevus", "P2", "Bob")], "lines 16, 17, 18, column patient_id: differs between the rows of one photo"),
        (
            [*RATED, ("./07.JPG", "nevus", "P3", "Bob")],
            r"lines 16 and 18: '07.jpg' and './07.JPG' are one photo, '07.jpg', in two spellings. Write it alike in all its rows",
        ),
        (
            [(i if r == "Ann" else f"./{i}", label, p, r) for i, label, p, r in RATED],
            "lines 2 and 3: './00.jpg' and '00.jpg' are one photo, '00.jpg', in two spellings",
        ),
        ([(i, "" if i == "07.jpg" else label, p, r) for i, label, p, r in RATED], "lines 16, 17, column label: is empty in every row"),
    ],
)
def test_raters_who_do_not_fit_are_refused_with_their_lines(tmp_path, rows, says):
    with pytest.raises(SourceError, match=says) as error:
        scan(source(tmp_path, table_of(HEADER, rows)))
    assert "P3" not in str(error.value)
    assert "Ann" not in str(error.value)


def test_labels_and_weights_come_in_pairs(tmp_path):
    with pytest.raises(SourceError, match="column label_2 has no column weight_N of its number beside it"):
        scan(source(tmp_path, weighted([*PLAIN, PLAIN[0]], "image,label_1,weight_1,label_2,remark,patient_id")))


def test_photos_named_twice_without_a_rater_say_what_to_write(tmp_path):
    with pytest.raises(SourceError, match="in two rows. .* name them in a column `rater`"):
        scan(source(tmp_path, table_of("image,label,patient_id", [*ROWS, ROWS[0]])))


def test_a_case_of_two_patients_or_of_two_splits_is_refused_and_names_nobody(tmp_path):
    rows = [(image, label, patient, f"V{i % 2}") for i, (image, label, patient) in enumerate(ROWS)]
    with pytest.raises(
        SourceError, match=r"lines 2, 4, 6, 8, column case_id: one case has photos of several patients, as 2 cases do"
    ) as error:
        scan(source(tmp_path, table_of("image,label,patient_id,case_id", rows)))
    assert "P0" not in str(error.value)
    splits = [(image, label, f"C{i // 2}", ("train", "test")[i > 4]) for i, (image, label, _) in enumerate(ROWS)]
    with pytest.raises(SourceError, match="lines 6 and 7: are of one patient, train and test"):
        scan(source(tmp_path, table_of("image,label,case_id,split", splits)), no_patients=True)


def test_a_photo_without_a_case_is_in_nobody_elses_where_cases_and_patients_are_numbered_alike(tmp_path):
    """Patient 1 has a photo without a case, and case 1 is patient 2's; patient 3's case 3 takes in the photo without one, as ever."""
    of_rows = [("1", ""), ("1", ""), ("2", "1"), ("2", "1*"), ("3", "3"), ("3", ""), ("4", ""), ("4", "9")]
    rows = [(image, label, *ids) for (image, label, _), ids in zip(ROWS, of_rows, strict=True)]
    manifest = scan(source(tmp_path, table_of("image,label,patient_id,case_id", rows))).manifest.sort_values("key")
    assert manifest["case_id"].tolist() == ["1**", "1**", "1", "1*", "3", "3", "4", "9"]


def test_where_patients_are_not_known_the_photos_of_a_case_are_one_persons(tmp_path, capsys):
    manifest = scan(source(tmp_path, table_of("image,label,case_id", ROWS)), no_patients=True).manifest
    assert (manifest["patient_id"] == manifest["case_id"]).all()
    assert "cases are taken for them, and photos of one person in two cases may lie on both sides" in capsys.readouterr().out


def test_weights_of_0_and_1_are_no_classes(tmp_path):
    header = "image,dx_1,weight_1,dx_2,weight_2,male,female,patient_id"
    rows = [(image, label, "1", "wart", "0", "0", "1", patient) for image, label, patient in ROWS]
    assert scan(source(tmp_path, table_of(header, rows))).manifest["diagnosis"].value_counts().to_dict() == {"nevus": 4, "eczema": 4}


@pytest.mark.parametrize("weights", [("60", "40"), ("60%", "40%"), ("5", "3"), ("0,60", "0,40")])
def test_weights_are_shares_whatever_they_sum_to(tmp_path, weights):
    rows = [f"{image};nevus;{weights[0]};eczema;{weights[1]};{patient}" for image, _, patient in ROWS[:4]]
    rows += [f"{image};eczema;1;;;{patient}" for image, _, patient in ROWS[4:]]
    table = "\n".join(["image;label_1;weight_1;label_2;weight_2;patient_id", *rows])
    manifest = scan(source(tmp_path, table)).manifest
    first, second = (float(of.strip("%").replace(",", ".")) for of in weights)
    assert dict(manifest["diagnoses"].iloc[0]) == pytest.approx({"nevus": first / (first + second), "eczema": second / (first + second)})
    assert manifest["votes"].isna().all()


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        (
            "image,rater,label_1,weight_1,patient_id",
            [("Ann", "nevus", "1"), ("Zoe", "wart", "1")],
            "a row a rater .* and labels with weights",
        ),
        (
            "image,rater,label,patient_id",
            [("Ann", '"{""nevus"": 1}"'), ("Zoe", "wart")],
            "holds several labels a cell, and the table a row",
        ),
        ("image,rater,label,patient_id", [("Ann", "nevus"), ("ANN ", "wart")], "one rater speaks 2 times of one photo"),
        ("image,rater,label,patient_id", [("Ann", "nevus"), ("n/a", "wart")], "column rater: names nobody"),
        ("image,rater,annotator,label,patient_id", [("Ann", "x", "nevus"), ("Zoe", "y", "wart")], "may both be the rater. Say which"),
        ("image,label_1,diagnosis_1,weight_1,patient_id", [("nevus", "nevus", "1")], "label_1 and diagnosis_1 may both be label 1"),
        ("image,label_1,weight_1,confidence_1,patient_id", [("nevus", "1", "2")], "weight_1 and confidence_1 may both be weight 1"),
        ("image,label,label_1,weight_1,patient_id", [("nevus", "wart", "1")], "label may be the label, and so may label_1 with its weight"),
        (
            "image,label_1,label_2,patient_id",
            [("nevus", "wart")],
            "label_1, label_2 are several labels of one photo, without what each weighs",
        ),
        ("image,label_1,votes_1,patient_id", [("nevus", "1.5")], "1.5 is no number of votes"),
        ("image,label,patient_id", [('"[""nevus"", ""wart""]"',)], "is no weights by label"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path, header, rows, says):
    table = [(image, *of, patient) for image, _, patient in ROWS for of in rows]
    with pytest.raises(SourceError, match=says):
        scan(source(tmp_path, table_of(header, table)))


def test_thousands_among_weights_are_a_doubt(tmp_path):
    rows = "\n".join(f"{image};nevus;1,000;eczema;900;{patient}" for image, _, patient in ROWS)
    with pytest.raises(SourceError, match="'1,000' may be thousands or have decimals"):
        scan(source(tmp_path, f"image;label_1;weight_1;label_2;weight_2;patient_id\n{rows}"))


def test_a_row_a_rater_without_an_image_is_named(tmp_path):
    with pytest.raises(SourceError, match="line 18, column image: is empty"):
        scan(source(tmp_path, table_of(HEADER, [*RATED, ("", "nevus", "P3", "Bob")])))


def test_spellings_of_one_label_are_one_before_anything_is_counted(tmp_path, capsys):
    manifest = scan(source(tmp_path, weighted([*PLAIN, ("Eczema", "0.1", "eczema", "0.2")]))).manifest
    assert manifest["diagnoses"].isna().all()
    assert "0 have different ones" in capsys.readouterr().out
