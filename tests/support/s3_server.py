"""A real server of S3's protocol on this machine, with a bucket."""

import contextlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from urllib.error import URLError

from replyline.desk import bound_socket

PATIENCE = 60.0  # seconds; it loads much, and machines that test are busy


@contextlib.contextmanager
def s3_server(bucket: str) -> Iterator[str]:
    """Gives its address."""
    with bound_socket() as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        make_bucket(f"{url}/{bucket}", until=time.monotonic() + PATIENCE)
        yield url
    finally:
        server.kill()
        server.wait()


def make_bucket(url: str, *, until: float) -> None:
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT")):
                return
        except URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
