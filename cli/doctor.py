"""`kentongan doctor`: what is wrong with this installation, and what to do about it."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict

from cli import checkup, told
from cli.checkup import Finding, Verdict
from cli.configured import Configured, configured
from cli.errors import Exit

_MARK = {Verdict.FINE: "ok  ", Verdict.WARNING: "warn", Verdict.FAULT: "BAD "}


def doctor(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print a line for each thing looked at, and what to do where it is not well."""
    findings = asyncio.run(_look(configured(told.as_up_has_it(environ))))
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        print("\n".join(map(_line, findings)))
    faults = [finding for finding in findings if finding.verdict is Verdict.FAULT]
    if any(finding.away for finding in faults):
        return Exit.UNREACHABLE
    return Exit.BROKEN if faults else Exit.DONE


async def _look(run: Configured) -> list[Finding]:
    groups = await asyncio.gather(
        checkup.database(run),
        checkup.redis(run),
        checkup.address(run),
        checkup.caps(run),
        checkup.providers(run),
    )
    return [finding for group in groups for finding in group]


def _line(finding: Finding) -> str:
    todo = f"\n       -> {finding.todo}" if finding.todo else ""
    return f"{_MARK[finding.verdict]}  {finding.what}: {finding.said}{todo}"
