"""The HTTP API under `/api/v1`: everything that a page shows moves through here, and programs use the same.

`api` puts it together, `receiving` takes pictures in, `results` gives them out, `streams` tells what changes, `faults`
says what is wrong. Nothing here knows a page or a broker: it asks the desk.
"""
