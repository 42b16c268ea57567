"""What stops a command; each text is a sentence that says what to do.

StackError
├── AlreadyRunning   a `logektor up` runs on this home
├── NotRunning       no `logektor up` runs on this home
├── PortTaken        another program listens on a port
├── BatchFailed      the collector took a batch for good or not in time (batch_client.py)
├── ImportFailed     a log import stopped; the same import again goes on (log_import.py)
└── ReplayStopped    a replay stopped half-way; the same replay again goes on (replay.py)
"""


class StackError(Exception):
    """The root of the stack's errors."""


class AlreadyRunning(StackError):
    """A `logektor up` runs on this home."""


class NotRunning(StackError):
    """No `logektor up` runs on this home."""


class PortTaken(StackError):
    """Another program listens on a port."""
