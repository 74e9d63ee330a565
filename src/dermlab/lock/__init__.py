"""`dermlab lock SOURCE`: what a source holds, read from its tables and pinned in data/source/. No stage depends on this room."""
