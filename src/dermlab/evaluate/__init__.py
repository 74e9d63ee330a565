"""The trained model on the frozen test split: what it gets right, on whom, and whether its probabilities mean what they say."""
