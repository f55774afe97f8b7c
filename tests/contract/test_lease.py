"""The right to send: local time is stricter than the ledger's, and a frozen worker ends nothing."""

import asyncio
import socket
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typing_extensions import override

from kentongan.outcome import NotBegunError, Reason
from ledger import leases
from ledger.engine import Ledger
from workers.lease import Lease
from workers.loop import WakingLoop, waking_loop


@dataclass
class Clock:
    """A clock that counts suspension, moved by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def lease(ledger: Ledger, clock: Clock) -> Lease:
    held = Lease(ledger, "here", clock)
    await held.begin()
    return held


async def lapse(ledger: Ledger, lease: Lease) -> None:
    """As if twelve seconds had passed by the ledger's clock."""
    async with ledger.write() as db:
        await leases.end(db, lease.incarnation)


class Transport(asyncio.Transport):
    """Remembers whether it was aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    @override
    def abort(self) -> None:
        self.aborted = True


def may_begin(lease: Lease, incarnation: str) -> bool:
    try:
        lease.check(incarnation)
    except NotBegunError as error:
        return error.reason is not Reason.LEASE_LOST
    return True


async def test_nothing_begins_in_the_last_second_of_a_lease(lease: Lease, clock: Clock) -> None:
    mine = lease.incarnation
    assert may_begin(lease, mine)

    clock.now += leases.LEASE - 1.1
    assert may_begin(lease, mine)
    clock.now += 0.2
    assert not may_begin(lease, mine)
    assert not lease.holds


async def test_renewal_counts_from_before_it_was_asked_for(
    lease: Lease, clock: Clock, ledger: Ledger
) -> None:
    clock.now += 5
    renewing = asyncio.create_task(lease._renew_once())
    await asyncio.sleep(0)  # it has read the clock
    clock.now += 4
    await renewing

    clock.now += leases.LEASE - 4 - 1.1
    assert may_begin(lease, lease.incarnation)
    clock.now += 0.2
    assert not may_begin(lease, lease.incarnation)
    async with ledger.read() as db:
        assert await leases.living(db) == 1  # the ledger's lease outlives what we allow ourselves


async def test_worker_whose_lease_lapsed_aborts_what_is_open_and_becomes_another(
    lease: Lease, ledger: Ledger
) -> None:
    before, held, released = lease.incarnation, Transport(), Transport()
    for transport in (held, released):
        lease.hold(transport)
    lease.release(released)
    await lapse(ledger, lease)

    await lease._renew_once()

    assert (held.aborted, released.aborted) == (True, False)
    assert lease.incarnation != before
    assert may_begin(lease, lease.incarnation)
    assert not may_begin(lease, before)  # what was claimed before is handed back


async def test_waking_within_the_lease_aborts_nothing(lease: Lease, clock: Clock) -> None:
    transport = Transport()
    lease.hold(transport)

    clock.now += leases.LEASE - 0.1
    lease.on_wake()
    assert not transport.aborted

    clock.now += 0.2
    lease.on_wake()
    assert transport.aborted


async def test_transport_that_carries_another_attempt_still_is_aborted(
    lease: Lease, clock: Clock
) -> None:
    shared = Transport()
    for _ in range(2):
        lease.hold(shared)
    lease.release(shared)
    clock.now += 100

    lease.on_wake()

    assert shared.aborted


async def test_attempt_without_a_transport_of_its_own_is_fine(lease: Lease, clock: Clock) -> None:
    lease.hold(None)
    lease.release(None)
    clock.now += 100

    lease.on_wake()


async def test_lease_given_back_begins_nothing_more(lease: Lease, ledger: Ledger) -> None:
    mine = lease.incarnation

    await lease.end()

    assert not may_begin(lease, mine)
    async with ledger.read() as db:
        assert await leases.living(db) == 0


@dataclass
class SlowReceiver:
    """Reads nothing until it may, then everything until the end."""

    may_read: threading.Event = field(default_factory=threading.Event)
    got: int = 0

    def serve(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection):
            self.may_read.wait(20)
            try:
                while some := connection.recv(1 << 20):
                    self.got += len(some)
            except ConnectionError:
                pass


WHOLE = 64 << 20  # more than the buffers of any kernel take


def test_frozen_worker_that_wakes_writes_nothing_of_what_stood_in_its_buffers(
    tmp_path: Path,
) -> None:
    clock, receiver = Clock(), SlowReceiver()
    lease = Lease(Ledger.open(f"sqlite:///{tmp_path}/nobody.db"), "here", clock)
    lease._deadline = clock.now + leases.LEASE
    left: list[int] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=receiver.serve, args=(listener,))
        thread.start()

        async def send_and_freeze() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, WakingLoop)
            loop.call_on_wake(lease.on_wake)
            _, writer = await asyncio.open_connection(*listener.getsockname())
            transport = writer.transport
            lease.hold(transport)
            transport.write(b"x" * WHOLE)
            while (waits := transport.get_write_buffer_size()) != (left or [0])[-1]:
                left.append(waits)  # until the kernel takes no more
                await asyncio.sleep(0.05)
            # Frozen here, and thawed when the lease has lapsed; meanwhile the kernel made room.
            clock.now += 20
            receiver.may_read.set()
            while receiver.got < WHOLE - left[-1]:
                if not thread.is_alive():
                    break
            async with asyncio.timeout(20):
                while not transport.is_closing():
                    await asyncio.sleep(0.01)

        with asyncio.Runner(loop_factory=waking_loop) as runner:
            runner.run(send_and_freeze())
        thread.join(20)

    assert left[-1] > 0
    assert receiver.got <= WHOLE - left[-1]
