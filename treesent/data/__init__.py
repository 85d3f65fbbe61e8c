"""Data: treebanks, tables of texts, and batches."""
