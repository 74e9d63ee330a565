"""report: a run's page, and the comparison of experiments with the uncertainty of every difference."""
