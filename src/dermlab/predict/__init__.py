"""Diagnoses of photos that were never pulled, by a model folder alone.

from dermlab.predict.predictor import Predictor
Predictor("models/model")(["photo.jpg"])
"""
