"""The ground floor: the words of mass notification and the rules that need no I/O."""

__version__ = "0.1.0"
