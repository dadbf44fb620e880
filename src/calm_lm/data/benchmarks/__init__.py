"""Published benchmarks that models are tested on and never trained on, one file each."""
