"""`dermlab advise`: which recipes to try first on these data, and why. No stage depends on this room."""
