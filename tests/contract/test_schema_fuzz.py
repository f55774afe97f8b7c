"""What schemathesis makes of /openapi.json meets no fault of ours and no answer it does not name.

The service is a real process over a village with one alert under way, so that half of the requests
are about things that there are. The seed is fixed: a failure here is one everywhere.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cli.carriers import pointed
from cli.ports import claim
from kentongan.access import Role
from kentongan.settings import Settings, load
from ledger import keys
from ledger.engine import Ledger
from service.app import operations, spec_of
from tests.fakes.alerting import SITI, settle_village
from tests.fakes.ledgers import Ledgers
from tests.fakes.processes import Processes
from tests.fakes.running import expanded, tried

pytestmark = pytest.mark.xdist_group("schema_fuzz")

#: Requests of each kind for each operation; in all some fifteen seconds.
EACH = 6

SPEC = schemathesis.openapi.from_dict(spec_of(operations()))
Operation: TypeAlias = "APIOperation[Any, Any, Any, Any]"
OPERATIONS: dict[str, Operation] = {
    found.ok().label: found.ok() for found in SPEC.get_all_operations() if isinstance(found, Ok)
}


def _every_kind() -> list[tuple[str, GenerationMode]]:
    """Pair operations with kinds of requests. Deletions come last; nothing can be wrong with
    a request that has no parts."""
    return [
        (label, mode)
        for label in sorted(OPERATIONS, key=lambda label: label.startswith("DELETE"))
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or _has_parts(OPERATIONS[label])
    ]


def _has_parts(operation: Operation) -> bool:
    declared = operation.definition.raw
    return bool(declared.get("parameters") or declared.get("requestBody"))


CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass(frozen=True)
class Target:
    """A service, a key for it, and the ids of things that it has, by the names in paths."""

    url: str
    key: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def target(ledgers: Ledgers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("fuzz")
    port = claim("a free port", "127.0.0.1", 0)
    environ = {
        "KENTONGAN_DATABASE_URL": asyncio.run(ledgers.fresh("sqlite", folder)),
        "KENTONGAN_REDIS_URL": "redis://127.0.0.1:1",
        "KENTONGAN_SECRET_KEY": "a secret key of thirty-two letters or more",
        "KENTONGAN_PUBLIC_URL": "https://warn.example",
        "KENTONGAN_SIMULATOR_URL": "http://127.0.0.1:9",
        "KENTONGAN_SIMULATOR_SMTP_PORT": "9",
        "KENTONGAN_HTTP_PORT": str(port),
    }
    environ |= pointed({}, load(Settings, environ), claim("a free port", "127.0.0.1", 0))
    secret = keys.new_secret()
    ids = asyncio.run(_settled(environ["KENTONGAN_DATABASE_URL"], secret))
    with Processes(folder, environ) as processes:
        processes.serve().start().wait_until_ready()
        url = f"http://127.0.0.1:{port}"
        yield Target(url, secret, ids | _made(url, secret))


async def _settled(url: str, secret: str) -> dict[str, str]:
    ledger = Ledger.open(url)
    await keys.ensure(ledger, secret, name="fuzz", role=Role.ADMIN)
    other = await keys.ensure(ledger, keys.new_secret(), name="other", role=Role.ADMIN)
    village = await settle_village(ledger)
    running = await expanded(ledger, {"Siti": [("sms", SITI)], "Wati": []})
    delivery = running.delivery(SITI)
    await tried(ledger, running.alert.id, delivery, outcome="accepted", receipt_word="sent")
    await ledger.close()
    return {
        "alert_id": running.alert.id,
        "delivery_id": delivery,
        "group_id": village.group,
        "recipient_id": village.people[0],
        "key_id": other.id,
    }


def _made(url: str, secret: str) -> dict[str, str]:
    """Make over HTTP what only the service makes."""
    caller = {"Authorization": f"Bearer {secret}"}
    stopped = {"channel": "sms", "address": "+628111000009", "reason": "asked for it"}
    suppression = requests.post(
        f"{url}/v1/suppressions", headers=caller, json=stopped, timeout=10
    ).json()
    imported = requests.post(
        f"{url}/v1/recipients/import?commit=true",
        headers={**caller, "Content-Type": "text/csv"},
        data="name\nTono\n",
        timeout=10,
    ).json()
    return {"suppression_id": suppression["id"], "import_id": imported["import_id"]}


def test_every_operation_is_understood() -> None:
    assert len(OPERATIONS) == len(operations())


@pytest.mark.parametrize(("label", "mode"), _every_kind())
def test_no_request_meets_a_fault_of_ours_or_an_answer_that_is_not_described(
    target: Target, label: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[label]
    bounded = settings(
        max_examples=EACH,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @bounded
    @given(case=operation.as_strategy(generation_mode=mode) | _about_known(operation, target, mode))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(
            base_url=target.url,
            headers={"Authorization": f"Bearer {target.key}"},
            checks=CHECKS,
            timeout=10,
        )

    ask()


def _about_known(operation: Operation, target: Target, mode: GenerationMode) -> Any:
    names = [name for name in target.ids if f"{{{name}}}" in operation.path]
    return operation.as_strategy(
        generation_mode=mode,
        path_parameters={name: target.ids[name] for name in names} or None,
    )
