"""The flight recorder: a day of events as one small file, and what may be done with it.

`recording` says what is in such a file, `notes` makes it of events, `files` reads and writes it.
"""
