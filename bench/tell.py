"""Says how far a measurement has come, beside what it gives back."""

import sys


def tell(words: str) -> None:
    """Print a line to whoever watches."""
    print(f"  {words}", file=sys.stderr, flush=True)
