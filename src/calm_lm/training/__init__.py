"""Fitting CALM: cached states, the sampler, the objective, the trainer, crash-safe checkpoints, runs."""
