"""Functions made of functions: their derivatives, their calls run again, and ops of your own."""
