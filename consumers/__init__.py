"""Who does the work: one worker on each VM, and the operations it runs in child processes.

Never imports `producers`. Only `operations` touches pixels; only a child process runs it.
"""
