"""`dermlab preflight RECIPE`: whether a recipe can run here and what it costs, before anybody pays. No stage depends on this room."""
