"""dermlab: which change to labels, sampling or loss really made a long-tailed image classifier better."""

__version__ = "0.1.0"
