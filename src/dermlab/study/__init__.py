"""Several experiments as one: `recipe` says what runs, `run` is the loop, `workspace` what it finds and leaves."""
