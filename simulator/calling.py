"""The life of a call: it rings, someone or something answers, and its TwiML is run."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from secrets import token_hex

from simulator.book import Kind, Record
from simulator.carrier import Carrier
from simulator.conversation import Conversation
from simulator.line import Call
from simulator.magic import Fate, Line

#: Seconds: a call is dialled, rings, and is given up after a while (a real one after `Timeout`).
DIALS, RINGS, GIVES_UP, DETECTS = 0.2, 0.3, 2.0, 0.2

ENDS = {"completed", "busy", "failed", "no-answer", "canceled"}


@dataclass(slots=True)
class _Running:
    call: Call
    task: asyncio.Task[None]


class Calling:
    """Accepts calls and lets each live in a task of its own."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._running: dict[int, _Running] = {}

    def accept(self, to: str, form: Mapping[str, list[str]], fate: Fate) -> Record:
        """Write the call down and let it ring."""
        params = {name: vs if len(vs) > 1 else vs[0] for name, vs in form.items()}
        record = self._carrier.book.add(
            Record(
                kind=Kind.VOICE,
                id=f"CA{token_hex(16)}",
                to=to,
                sender=form["From"][0],
                at=self._carrier.now(),
                params={k: v for k, v in params.items() if k not in {"To", "From"}},
            )
        )
        record = self._carrier.book.change(record.seq, "queued", record.at)
        call = Call(self._carrier, record)
        task = self._carrier.pool.alone(partial(self._live, call, fate))
        self._running[record.seq] = _Running(call, task)
        task.add_done_callback(lambda _: self._running.pop(record.seq, None))
        return record

    def end(self, record: Record, status: str) -> Record | None:
        """Cancel it while it has not been answered, or hang up. None: that is not possible now."""
        running = self._running.get(record.seq)
        is_waiting = record.status in {"queued", "ringing"}
        if record.status in ENDS or (status == "canceled" and not is_waiting):
            return None
        if running:
            running.task.cancel()
            call = running.call
        else:
            call = Call(self._carrier, record)
        final = "canceled" if is_waiting else "completed"
        call.become(final)
        call.report("completed", final)
        return self._carrier.book.get(record.seq)

    def resume(self) -> None:
        """A call does not outlive its carrier: what was going on when the book closed failed."""
        for record in self._carrier.book.all():
            if record.kind is Kind.VOICE and record.status not in ENDS:
                call = Call(self._carrier, record)
                call.become("failed")
                call.report("completed", "failed")

    async def _live(self, call: Call, fate: Fate) -> None:
        with suppress(asyncio.CancelledError):  # ended by `end`, which has said so
            await self._ring(call, fate)

    async def _ring(self, call: Call, fate: Fate) -> None:
        pool = self._carrier.pool
        await pool.sleep(DIALS + max(self._carrier.behaviour.held, fate.held))
        call.report("initiated", "initiated")
        if fate.line is Line.FAILED:
            return self._finish(call, "failed")
        call.become("ringing")
        call.report("ringing", "ringing")
        await pool.sleep(RINGS)
        if fate.line is Line.BUSY:
            return self._finish(call, "busy")
        if fate.line is Line.NO_ANSWER:
            await pool.sleep(GIVES_UP)
            return self._finish(call, "no-answer")
        call.become("in-progress")
        call.report("answered", "in-progress")
        await self._detect(call, fate)
        is_person = fate.line is Line.ANSWERED
        await Conversation(self._carrier, call, key=fate.key if is_person else "").run()
        return self._finish(call, "completed")

    def _finish(self, call: Call, status: str) -> None:
        call.become(status)
        call.report("completed", status)

    async def _detect(self, call: Call, fate: Fate) -> None:
        """Tell person from machine, if that was asked for."""
        params = call.params
        wanted = params.get("MachineDetection")
        if not wanted or params.get("SendDigits"):
            return
        is_async = params.get("AsyncAmd", "").lower() == "true"
        machine = "machine_end_beep" if wanted == "DetectMessageEnd" else "machine_start"
        by = machine if fate.line is Line.MACHINE else "human"
        if is_async:
            call.answered_by(by, said_in_callbacks=False)
            url = params.get("AsyncAmdStatusCallback", "")
            method = params.get("AsyncAmdStatusCallbackMethod", "POST")
            self._carrier.tell(url, call.detection(by), method)
            return
        await self._carrier.pool.sleep(DETECTS)
        call.answered_by(by)
