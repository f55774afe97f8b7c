"""Practice: carriers that reach nobody, and remember everything."""
