"""Where a run answers what reporting guidelines ask, and what no file of it tells: the appendix of the model card.

TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378), CLAIM 2024 (Tejani et al., Radiology: Artificial Intelligence 6:e240300) and STARD-AI
(Sounderajah et al. 2025, Nature Medicine 31:3283) by the numbers of their items; the words are ours, and the lists say more. Numbers and
meanings were compared in November 2026 with two or three copies of each list that others have published, which agree; the publishers' own
pages, and STARD-AI's correction of July 2026, could not be read.
"""

from dataclasses import dataclass

from dermlab.report.contents import Report

NOT_KNOWN = "not known"
NOTED = "Data, what the source notes; the rest: not known"


@dataclass(frozen=True)
class Item:
    topic: str
    # `tripod`, `claim`, `stard`: numbers of their items, parted by commas; empty where the list does not ask
    tripod: str
    claim: str
    stard: str
    where: str  # where the run answers, or NOT_KNOWN


def checklist(report: Report, notes: bool) -> list[Item]:
    """`notes`: whether the source notes anything of its diagnoses."""

    def if_there(what: object, where: str) -> str:
        return where if what else NOT_KNOWN

    items = (
        ("Title and abstract", "1, 2", "1, 2", "1, 2", NOT_KNOWN),
        ("Background, intended use, users, pathway of care", "3a, 3b", "3", "3, 15d", NOT_KNOWN),
        ("Known inequalities of health", "3c", "", "", NOT_KNOWN),
        ("Aim, said beforehand", "4", "4, 6", "4", "params.yaml: report.primary, report.guarded, report.margin"),
        ("Prospective or retrospective; dates and places of collection", "5a, 5b, 6a", "5, 7", "5, 8, 9, 10, 11", NOT_KNOWN),
        ("Who was included, who was not, and why", "6b", "8, 10", "7", "Data, left out; the service's own rules: not known"),
        ("Treatments before the photo", "6c", "", "27", NOT_KNOWN),
        ("Devices and how photos were taken", "9b", "13", "13, 14", NOT_KNOWN),
        ("Preparation of photos, metadata removed", "7", "9, 11", "14", "Model, input; docs/data.md, What becomes of a photo"),
        ("Diagnoses, and which join the pool of others", "8a", "14", "16c", "Use, diagnoses"),
        ("Reference standard: who gave it, how, why this one", "8b", "14, 15, 16, 17", "12, 16a, 16b", if_there(notes, NOTED)),
        ("Whether the model knew the diagnosis", "", "", "17a", "Data, partition: test labels train nothing"),
        ("Whether those who gave the diagnosis knew the model's", "8c", "", "17b", NOT_KNOWN),
        ("Agreement of those who gave it", "", "18", "", if_there(report.raters_lead, "The report, below its first picture")),
        ("Questions asked, and answers missing", "9a, 9b, 9c, 11", "12", "20", "Data, share without an answer"),
        ("Number of patients and why so many", "10", "21", "22", "Data, by split; why so many: `dermlab power`"),
        ("Partition, and at which level", "12a, 16", "19, 20", "15b", "Data, partition"),
        ("Model, initial weights, training, code", "12b, 12c", "22, 23, 24, 25", "13, 15a, 15b", "Model; Every setting; requirements.lock"),
        ("How the final model was chosen", "12c", "26, 27", "15b", "Model, selection"),
        ("Classes of few, and what was done for them", "13", "25", "", "Every setting: variant, loss; Performance, by class"),
        ("Fairness: groups, and how they were compared", "14", "", "23", if_there(report.gaps_lead, "For whom it is worse")),
        ("What comes out: probabilities, tiers, sets", "15", "22", "15c, 19", if_there(report.selective, "Performance; Sets")),
        ("How a prediction is made", "12g", "", "15a", "Use, how"),
        ("Scores and their uncertainty", "12e", "28, 29", "18", "Performance: intervals over patients"),
        ("Robustness of the findings", "", "30", "21", "The report: without doubted labels, a photo alone, the prior taken out"),
        ("Differences between hospitals or countries", "12d, 23b", "", "", NOT_KNOWN),
        ("Explanations of single answers", "", "31", "", NOT_KNOWN),
        ("Ethical approval, consent", "17", "", "6, 35", NOT_KNOWN),
        ("Funding, conflicts of interest", "18a, 18b", "44", "38, 39", NOT_KNOWN),
        ("Protocol, registration", "18c, 18d", "34, 42", "36, 37", NOT_KNOWN),
        ("Data, code and model to be had", "18e, 18f", "43", "40a", "Licence; the commit and dvc.lock of the run; data: not known"),
        ("Answers of the model kept, to be audited", "", "", "40b", "data/predictions.parquet, as dvc.lock names it"),
        ("Patients and public involved", "19", "", "", NOT_KNOWN),
        ("Flow: how many were used, and who they were", "20a, 20b, 20c", "35, 36", "24, 25", "Data; Groups of patients"),
        ("Numbers and classes in training and test", "21", "35", "25, 26b", "Data; Performance, by class"),
        ("Severity of disease", "", "", "26a", NOT_KNOWN),
        ("Whether the photos are those of the intended use", "5a", "", "28", NOT_KNOWN),
        ("The model in full, to predict elsewhere", "22", "43", "40a", "models/model/; `dermlab export` writes ONNX"),
        ("Test on data of the same source", "23a", "32, 37", "31", "Performance"),
        ("Test on data of another source", "", "33", "29", NOT_KNOWN),
        ("Sensitivity, specificity, at a point set before", "23a", "38", "31", if_there(report.groups, "Groups of classes; Performance")),
        ("Diagnoses against what was said for them", "", "", "30", "The report, Confusion; Where it fails"),
        ("Calibration", "12e, 23a", "37", "", "The report, Calibration; Performance: Brier, NLL"),
        ("Clinical usefulness: net benefit", "12e", "", "", if_there(report.groups, "The report, Groups of classes: decision curves")),
        ("Performance by group of patients", "23a", "37", "23", if_there(report.subgroups, "Groups of patients; For whom it is worse")),
        ("Failures", "", "39", "23", "Where it fails; the report, Wrong and sure of it"),
        ("Harms of the test itself", "", "", "32", NOT_KNOWN),
        ("Updating of the model", "12f, 24", "", "", NOT_KNOWN),
        ("Interpretation, limits", "25, 26", "40, 41", "33, 34, 35", "Limits; what it means for care: not known"),
        ("Bad input", "27a", "", "19", "Photos unlike those it knows; Data, share without an answer"),
        ("Who has to act, and what is next", "27b, 27c", "", "15d", NOT_KNOWN),
    )  # fmt: skip
    return [Item(*item) for item in items]
