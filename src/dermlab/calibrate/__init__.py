"""calibrate: all that is chosen on the validation split, from what the network made of it."""
