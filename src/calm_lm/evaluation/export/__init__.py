"""Tasks written out for other harnesses: the same questions, the same numbers, without this package."""
