"""Checking: gradients against differences, and where a NaN came from."""
