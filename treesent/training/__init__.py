"""Training: recipe, loop, metrics, checkpoints."""
