"""Backbones, the questionnaire's encoding and the classifier that fuses the two. Knows the contract, and no stage."""
