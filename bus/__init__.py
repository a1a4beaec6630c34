"""The shared language and the wire.

Everyone imports from here; nothing here imports another overspill package.
Pure modules say what a message is; `rabbit` alone speaks AMQP.
"""
