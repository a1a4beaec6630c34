"""People: the `overspill` command, and the stack of one machine that it starts.

May import everything; nothing imports it.
"""
