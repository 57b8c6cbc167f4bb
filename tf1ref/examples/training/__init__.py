"""Losses, optimizers, schedules, averages: the parts of a training step."""
