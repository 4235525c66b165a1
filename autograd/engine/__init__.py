"""What one reads: all that runs when x * y is computed, written in place and differentiated."""
