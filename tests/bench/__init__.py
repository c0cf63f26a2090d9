"""How fast this registry is, beside another one on the same machine: `python -m tests.bench --help`.

    __main__            arguments; registries up, cases through, report out
    cases               the table: what is asked, and how many times the peer's rate is wanted
    work                what a case is made of: `pulling` and `pushing` hold the kinds
    measure             the turns: ours, peer, ours, peer; medians
    load, flows, swarm  many small requests, by `wrk` or by our own client
    transfers           few large bodies going up;  children: load in processes of its own
    material, seed      what is pushed, and how it gets there;  checks: what must come back
    target, servers     a registry; starting and stopping one;  processes: what `/proc` tells of it
    report              the table as text and as JSON

Every case checks its answers down to the bytes before anything is timed, and every timed answer by status and length.
A ratio below its target is told and is no failure; a wrong status or byte ends the run.
"""
