"""What is measured, one file an experiment."""
