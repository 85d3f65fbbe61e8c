"""Measures of how good predictions are: accuracy, F1, brackets, aggregation of sentences."""
