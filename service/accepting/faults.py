"""Collects what is wrong with an alert, so that its author mends everything at once."""

from collections.abc import Iterator

from service.web.problems import Fault, invalid

#: An answer lists no more than this; ten thousand bad addresses have one cause.
MOST = 100


class Faults:
    """The faults found so far. Looking goes on after the first."""

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def note(self, at: str, problem: str, fix: str) -> None:
        """Note a fault of the part `at` of the body, as in `audience/groups/0`; each once."""
        fault = Fault(where="body", at=at, problem=problem, fix=fix)
        if len(self._found) < MOST and fault not in self._found:
            self._found.append(fault)

    def add(self, others: "Faults") -> None:
        """Note the faults that were collected elsewhere."""
        for fault in others:
            self.note(fault.at, fault.problem, fault.fix)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._found)

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._found)

    def are_about(self, part: str) -> bool:
        """Tell whether anything is wrong with `part` of the body, so that it is not judged."""
        return any(fault.at.split("/")[0] == part for fault in self._found)

    def refuse_if_any(self) -> None:
        """Raise the 422 that names all of them."""
        if self._found:
            raise invalid(self._found)
