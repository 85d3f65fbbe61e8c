"""Networks in pure torch: nothing here knows spaCy."""
