"""`python -m replyline.simulator`: a simulated Twilio for integration tests in any language."""

import json
import signal
import socket
import subprocess
import sys

import pytest
import requests
from click.testing import CliRunner

from replyline.simulator.__main__ import main
from tests.simulator.conftest import ANA, OURS

COMMAND = [sys.executable, "-m", "replyline.simulator"]


@pytest.mark.process
def test_a_twilio_of_its_own_is_told_over_http_what_to_do() -> None:
    with subprocess.Popen([*COMMAND, "--number", OURS], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            where = json.loads(running.stdout.readline())
            auth = (where["account_sid"], where["auth_token"])
            messages = f"{where['url']}/2010-04-01/Accounts/{where['account_sid']}/Messages.json"
            form = {"To": ANA, "From": OURS, "Body": "Hello"}

            fault = {"request": "throttled", "times": 1}
            assert requests.post(f"{where['control']}/faults", json=fault, timeout=5).status_code == 201
            answers = [requests.post(messages, data=form, auth=auth, timeout=5).status_code for _ in range(2)]

            assert answers == [429, 201]
            listed = requests.get(f"{where['control']}/messages", timeout=5).json()
            assert [message["body"] for message in listed] == ["Hello"]
        finally:
            running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = CliRunner().invoke(main, ["--port", str(port)])

    assert (ended.exit_code, ended.output) == (
        1,
        f"Error: Port {port} on 127.0.0.1 cannot be used: Address already in use.\n",
    )


def test_a_number_that_is_none_is_told_in_a_sentence() -> None:
    ended = CliRunner().invoke(main, ["--number", "the gym"])

    assert (ended.exit_code, ended.output) == (1, "Error: That is not a phone number.\n")
