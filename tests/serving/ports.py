"""A port for a server that a test starts."""

import random
import socket
from contextlib import suppress


def free_port():
    """Return a free port below those that systems choose for other programs."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as place, suppress(OSError):
            place.bind(("127.0.0.1", port))
            return port
