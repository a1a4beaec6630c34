"""`overspill bench`: jobs as many people send them, and how long those people wait.

Open loop: a job is due when the schedule says so, however the ones before it fare, and its latency counts from then.
What decides is pure (`schedule`, `mix`, `tally`, `figures`, `search`); `generator` alone looks at a clock.
"""
