"""Refusals that a person can act on: RFC 9457 problems with a `fix`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

PROBLEM_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One thing wrong with a request."""

    model_config = ConfigDict(frozen=True)

    where: Literal["path", "query", "headers", "body"] = Field("body", serialization_alias="in")
    at: str = Field("", description="Which part, as `audience/groups/0`; empty: the whole.")
    problem: str
    fix: str = Field("", description="What to do about it.")


class Problem(BaseModel):
    """Why a request was refused, and what would help (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field("about:blank", description="A stable name where the status says too little.")
    title: str
    status: int
    detail: str | None = None
    fix: str | None = Field(None, description="What to do about it.")
    instance: str | None = Field(None, description="This occurrence, as the log knows it.")
    errors: list[Fault] | None = Field(None, description="All faults found, not just the first.")


class ProblemError(Exception):
    """Raised anywhere below a handler to answer with a problem."""

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        *,
        fix: str | None = None,
        errors: Sequence[Fault] | None = None,
        kind: str | None = None,
        instance: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.headers = dict(headers or {})
        self.problem = Problem(
            type=f"urn:kentongan:problem:{kind}" if kind else "about:blank",
            title=HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            fix=fix,
            instance=instance,
            errors=list(errors) if errors is not None else None,
        )

    def response(self) -> web.Response:
        """Return the problem as it goes over the wire."""
        return web.Response(
            status=self.problem.status,
            body=self.problem.model_dump_json(exclude_none=True, by_alias=True).encode(),
            content_type=PROBLEM_TYPE,
            headers=self.headers,
        )


def invalid(faults: Sequence[Fault]) -> ProblemError:
    """Return the 422 that names all `faults` at once."""
    count = "One thing is" if len(faults) == 1 else f"{len(faults)} things are"
    return ProblemError(422, f"{count} wrong with the request.", errors=faults)


def missing(what: str = "thing") -> ProblemError:
    """Return the 404 for what does not exist, and for what this caller may not know of."""
    return ProblemError(
        404, f"There is no such {what}, or it is not yours to see.", fix="Check the id."
    )


def fault(problem: str, fix: str) -> PydanticCustomError:
    """Return what a validator raises, so that the answer carries the fix.

    Braces in either are taken literally.
    """
    return PydanticCustomError("fault", "{problem}", {"problem": problem, "fix": fix})
