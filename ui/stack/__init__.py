"""The stack of one machine: a broker of its own, two VMs and a router, as supervised child processes.

Pure decisions (`plan`, `lines`) beside thin shells (`rabbitmq`, `supervisor`); started by `overspill up`.
"""
