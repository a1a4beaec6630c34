"""The stack of one machine: broker, two VMs, a router, and a cloud to overflow into, as supervised child processes.

Pure decisions (`plan`, `cloud`) beside thin shells (`rabbitmq`, `emulator`, `supervisor`); started by `overspill up`.
"""
