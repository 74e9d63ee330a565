"""Which images are used, with which label and weight: the variants, as rules on training rows."""
