"""Where a run answers what reporting guidelines ask, and what no file of it tells: the appendix of the model card.

TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378) and CLAIM 2024 (Tejani et al., Radiology: Artificial Intelligence 6:e240300) by the numbers
of their items, STARD-AI (Sounderajah et al. 2025, Nature Medicine) by topic. The words are ours: the lists say more.
"""

from dataclasses import dataclass

from dermlab.report.contents import Report

NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Item:
    topic: str
    tripod: str  # numbers of its items
    claim: str
    stard: bool  # whether STARD-AI asks for it, too
    where: str  # where the run answers, or NOT_KNOWN


def checklist(report: Report, notes: bool) -> list[Item]:
    """`notes`: whether the source notes anything of its diagnoses."""

    def if_there(what: object, where: str) -> str:
        return where if what else NOT_KNOWN

    items = (
        ("Title and abstract", "1, 2", "1, 2", True, NOT_KNOWN),
        ("Background, intended use, users, pathway of care", "3", "3", True, NOT_KNOWN),
        ("Aim, said beforehand", "4", "4, 6", True, "params.yaml: report.primary, report.guarded, report.margin"),
        ("Prospective or retrospective; dates and places of collection", "5, 6", "5, 7", True, NOT_KNOWN),
        ("Who was included, who was not, and why", "6", "8", True, "Data, left out; the service's own rules: not known"),
        ("Devices and how photos were taken", "9", "13", True, NOT_KNOWN),
        ("Preparation of photos, metadata removed", "7", "9, 11", True, "Model, input; docs/data.md, What becomes of a photo"),
        ("Diagnoses, and which join the pool of others", "8", "10", True, "Use, diagnoses"),
        ("Reference standard: who gave it, how", "8", "14-17", True, if_there(notes, "Data, what the source notes; the rest: not known")),
        ("Agreement of those who gave it", "8", "18", True, NOT_KNOWN),
        ("Questions asked, and answers missing", "9, 11", "12", True, "Data, share without an answer"),
        ("Number of patients and why so many", "10", "21", True, "Data, by split; why so many: `dermlab power`"),
        ("Partition, and at which level", "12, 16", "19, 20", True, "Data, partition"),
        ("Model, initial weights, training", "12", "22-25", True, "Model; Every setting"),
        ("How the final model was chosen", "12", "26, 27", True, "Model, selection"),
        ("Classes of few, and what was done for them", "13", "25", False, "Every setting: variant, loss; Performance, by class"),
        ("Fairness: groups, and how they were compared", "14", "36", True, if_there(report.gaps_lead, "For whom it is worse")),
        ("What comes out: probabilities, tiers, sets", "15", "22", True, if_there(report.selective, "Performance; Sets")),
        ("Scores and their uncertainty", "12", "28, 29", True, "Performance: intervals over patients"),
        ("Robustness of the findings", "12", "30", True, "The report: without doubted labels, a photo alone, the prior taken out"),
        ("Explanations of single answers", "", "31", False, NOT_KNOWN),
        ("Ethical approval, consent", "17", "", True, NOT_KNOWN),
        ("Funding, conflicts of interest", "18a, 18b", "44", True, NOT_KNOWN),
        ("Protocol, registration", "18c, 18d", "34, 42", True, NOT_KNOWN),
        ("Data, code and model to be had", "18e, 18f", "43", True, "Licence; the commit and dvc.lock of the run; data: not known"),
        ("Patients and public involved", "19", "", False, NOT_KNOWN),
        ("Flow: how many were used, and who they were", "20", "35, 36", True, "Data; Groups of patients"),
        ("Numbers and classes in training and test", "21", "35", True, "Data; Performance, by class"),
        ("The model in full, to predict elsewhere", "22", "22, 43", True, "models/model/; `dermlab export` writes ONNX"),
        ("Test on data of the same source", "23", "32, 37", True, "Performance"),
        ("Test on data of another source", "23", "33", True, NOT_KNOWN),
        ("Sensitivity, specificity, at a point chosen before", "23", "38", True, if_there(report.groups, "Groups of classes; Performance")),
        ("Calibration", "23", "37", False, "The report, Calibration; Performance: Brier, NLL"),
        ("Clinical usefulness: net benefit", "23", "", False, if_there(report.groups, "The report, Groups of classes: decision curves")),
        ("Performance by group of patients", "23", "37", True, if_there(report.subgroups, "Groups of patients; For whom it is worse")),
        ("Failures", "23", "39", True, "Where it fails; the report, Wrong and sure of it"),
        ("Harms of the index test", "", "", True, NOT_KNOWN),
        ("Updating of the model", "24", "", False, NOT_KNOWN),
        ("Interpretation, limits", "25, 26", "40, 41", True, "Limits; what it means for care: not known"),
        ("Usability: bad input, who has to act", "27", "", True, "Photos unlike those it knows; When to answer; who has to act: not known"),
    )  # fmt: skip
    return [Item(*item) for item in items]
