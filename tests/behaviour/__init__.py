"""What the pipeline says of phenomena of language: minimal pairs and invariances, from templates."""
