"""The record of what was asked, what was tried, and what became of it: the only truth."""
