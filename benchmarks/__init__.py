"""Benchmarks: what building the book costs, beside ordinary kernels, d2lbook and MyST-NB. `make bench` runs them."""
