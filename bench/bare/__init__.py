"""The bare loops: what the libraries alone can do, with nothing promised."""
