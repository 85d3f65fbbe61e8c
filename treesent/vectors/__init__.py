"""Tables of word vectors: read, trained, joined, judged."""
