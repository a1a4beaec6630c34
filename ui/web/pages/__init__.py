"""What people see: thin pages of NiceGUI in one frame, and Vue components that live on the HTTP API.

A page's Python says who may see it, and places the component; nothing of a job is kept in it.
"""
