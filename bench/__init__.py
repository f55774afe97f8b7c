"""How fast it is: ratios against the bare loops that do the same, measured in turn. `make bench`.

A file in `bench/rows/` has one `EXPERIMENT` (`bench.row.Experiment`) or several (`EXPERIMENTS`):

    async def measure(bench: Bench) -> Samples:
        async with standing(bench) as world:            # bench/world.py
            ...
            return {"webhook": [Sample(ours=…, theirs=…, beside={"wall": …}), …]}

    EXPERIMENT = Experiment(
        rows=(Row(name="webhook", unit="sends per CPU-second", better=Better.HIGHER,
                  limits={Engine.SQLITE: Limits(floor=0.50, aim=0.65), …}),),
        measure=measure,
    )

`measure` runs once for each engine that its rows have limits for. A `Sample` is one alternation:
what we did and what the bare loop did, in the row's unit. A row's ratio is the median over its
samples of ours / theirs; `beside` (wall seconds, CPU of the database and of Redis) is shown and not
judged. Rows that only exist in the long form say `only_full=True`. Bare loops and listeners are
processes of their own (`bench/bare`, `bench/sinks`), started by `bench.children`.
"""
