"""Seeing: the graph drawn, and rules as formulas."""
