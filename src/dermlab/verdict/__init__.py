"""Experiments side by side: which difference is real. No stage depends on it."""
