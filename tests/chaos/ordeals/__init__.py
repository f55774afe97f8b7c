"""The faults: each file has `ORDEALS`, and is found by being here."""
