"""Every score, defined once: what training, evaluation, flags, report and comparison count by. Where scikit-learn or SciPy has a score
as it is meant here (AUROC, average precision), they are called where it is needed."""
