"""Who is alive, and what happened.

`machine` measures, `agent` publishes heartbeats, `fleet` makes of them, in pure code, a view of each VM.
"""
