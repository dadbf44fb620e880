"""Ground truth of people: items, instruments, response distributions, published indices. Knows no model."""
