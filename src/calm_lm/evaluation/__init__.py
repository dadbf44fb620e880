"""Judging a model against people: scores per culture, baselines, controls; the model is never changed."""
