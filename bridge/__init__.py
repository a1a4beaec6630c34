"""Overflow to the cloud and back.

`bridge` is the process at home: `forwarder` sends jobs, `returns` brings answers, `tickets` says who waits for them,
and `gate` (with `breaker` and `budget`) whether a job may go. `cloudrun` is the service in the cloud, made of
`service/`. What lies between is behind the interface in `cloud`: `pubsub/` is Google's, `pool/` plain HTTP; `envelope`
is what travels. It computes as a VM does and decides nothing about placement.
"""
