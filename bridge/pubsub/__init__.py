"""Google Pub/Sub as the cloud: its topics, and how parcels go in and come out.

All that imports Google's libraries on the bridge's side lives here; nothing here knows of RabbitMQ or of callers.
"""
