"""Who calls: accounts and their passwords, logins, API tokens, and how much one caller may ask for.

`People` is what routes and pages use; `person` names what it answers with. Nothing here knows NiceGUI or AMQP.
"""
