"""Who is alive, and what happened.

`machine` measures, `agent` publishes heartbeats, `fleet` makes of them, in pure code, a view of each VM. `metrics`,
`traces` and `logs` are what a process tells of itself; `hops` names the spans of a job.
"""
