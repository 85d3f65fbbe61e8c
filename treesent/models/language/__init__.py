"""Language models: training, sampling, ranking."""
