"""The `kentongan` command: one process tree to try, single processes to run for real."""
