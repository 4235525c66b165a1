"""What one looks up: PyTorch's names and options, and NumPy's functions, over the table of ops."""
