"""Lists as an environment variable holds them: separated by commas."""


def split(value: object) -> object:
    """Read a comma-separated list; blanks around and between are nothing."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value
