"""Families of models: classifiers, parsers and language models."""
