"""How work is done and a person is told, not what comes of it: no out of any stage depends on a file in here."""
