"""train: a head on cached features, then the network end to end; the best epoch by validation is kept."""
