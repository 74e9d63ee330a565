"""Questions about training rows: is the label right, is the photo an odd one out, a copy, a leak? Judges, and drops nothing."""
