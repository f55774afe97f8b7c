"""Listeners that take everything and cost next to nothing; their CPU is nobody's."""
