"""Endurance: one fault after another under load, and the books balanced at the end."""
