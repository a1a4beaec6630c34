"""The live view of a terminal: what `overspill top` shows of the fleet, its queues, rates and latest events.

`rates`, `model`, `parts`, `view` and `bars` are pure; `watch` listens to the bus, `keys` to the keyboard, and `screen`
puts one in front of the other. Nothing here gives orders: the view names the command that does.
"""
