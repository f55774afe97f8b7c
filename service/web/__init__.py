"""The frame: how an operation is declared, read, answered and described. It knows no alerts.

To add an operation, declare it in a module of `service/api/` that has `api = Api("things")` and
stands in `service.app.API_MODULES`:

    class ThingPath(Path):
        thing_id: ThingId                        # parts of the path; a bad one is a 404

    class ThingQuery(Query):
        limit: Annotated[int, Field(ge=1, le=500)] = 100

    class NewThing(Body):                        # strict: no unknown fields, no coercion
        name: Name

    @api.op("POST", "/v1/things/{thing_id}", may=Act.WRITE_PEOPLE, status=201, errors=(404,))
    async def make_thing(call: Call, *, path: ThingPath, body: NewThing) -> Thing:
        '''Make a thing. This line is the summary in /docs, what follows its description.'''

`path`, `query`, `headers` and `body` are optional; all faults of them are answered at once. The
handler returns an `Out`, or `Reply(out, status=200)` where `gives={202: A, 200: B}` declares
several, or a `web.StreamResponse` where `gives={200: Stream("text/csv")}`. It refuses with
`raise ProblemError(409, "…", fix="…")` or `raise invalid([Fault(at="name", problem=…, fix=…)])`;
validators raise `fault("problem", "fix")`. `call` has the caller (`access`, `extent`), the ledger,
the queue, `now()` and the request. `service.idempotency.once(call, work)` runs effects that carry
an Idempotency-Key. Foreign ids answer 404: `if not call.may_see(thing.made_by): raise missing()`.
"""
