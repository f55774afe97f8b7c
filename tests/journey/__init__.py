"""Alerts on their whole way through real processes, while parts of them are killed."""
