"""How a command ends: exit codes that scripts can tell apart, each with its sentence."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    BROKEN = 1  # unexpected, or found unhealthy
    USAGE = 2  # called or configured wrongly: the same call cannot succeed
    INPUT = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    UNREACHABLE = 8  # a database, a queue, a provider or the network
    UNBALANCED = 9  # the ledger contradicts itself, or the simulator's book
    INTERRUPTED = 130


class CommandError(Exception):
    """The command cannot do what was asked; the message is the sentence for the person."""

    def __init__(self, sentence: str, code: Exit = Exit.BROKEN) -> None:
        super().__init__(sentence)
        self.code = code
