"""Binary trees over sentences: values, notation, and where they come from."""
