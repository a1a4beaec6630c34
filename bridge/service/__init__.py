"""What the cloud service is made of; its process is `bridge.cloudrun`.

Who may call, how a push or an upload is read, how a job is computed, and how its answer is published.
"""
