"""What a user would do instead of CALM, fitted on the same rows with the same targets; start at `registry`."""
