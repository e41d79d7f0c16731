"""A simulated Twilio in a process of its own, for integration tests in any language: docs/guide/simulator.md."""

import asyncio
import json
import signal
import socket

import click

from replyline.errors import ReplylineError
from replyline.simulator.new_message import Policy
from replyline.simulator.pacing import Pacing
from replyline.simulator.serve import serve
from replyline.simulator.simulated_twilio import ACCOUNT_SID, AUTH_TOKEN, SimulatedTwilio


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="It asks for no credentials: keep it on this machine."
)
@click.option("--port", type=int, default=0, help="Default: one that is free.")
@click.option("--account-sid", default=ACCOUNT_SID, show_default=True)
@click.option("--auth-token", default=AUTH_TOKEN, show_default=True)
@click.option("--number", "numbers", multiple=True, help="A number of the account. May be given again.")
@click.option("--sms-url", default="", help="What is called when one of the numbers is texted.")
@click.option("--fallback-url", default="", help="What is called when that fails.")
@click.option("--paced", is_flag=True, help="Let texts leave at Twilio's own pace.")
def main(
    host: str,
    port: int,
    account_sid: str,
    auth_token: str,
    numbers: tuple[str, ...],
    sms_url: str,
    fallback_url: str,
    paced: bool,
) -> None:
    """Run a simulated Twilio, and print where it is as JSON. It ends with Ctrl-C or SIGTERM."""
    policy = Policy(pacing=Pacing() if paced else None)
    twilio = SimulatedTwilio(account_sid=account_sid, auth_token=auth_token, policy=policy)
    try:
        for number in numbers:
            twilio.add_number(number, sms_url=sms_url, fallback_url=fallback_url)
        check_port(host, port)
    except (ReplylineError, OSError) as error:
        why = f"Port {port} on {host} cannot be used: {error.strerror}." if isinstance(error, OSError) else str(error)
        raise click.ClickException(why) from None
    asyncio.run(run(twilio, host, port))


def check_port(host: str, port: int) -> None:
    """uvicorn would end the process without a word. Raises `OSError`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


async def run(twilio: SimulatedTwilio, host: str, port: int) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    try:
        async with serve(twilio.app, host=host, port=port) as url:
            twilio.url = url
            where = {"url": url, "control": f"{url}/control"}
            click.echo(json.dumps(where | {"account_sid": twilio.account_sid, "auth_token": twilio.auth_token}))
            await stop.wait()
    finally:
        await twilio.close()


if __name__ == "__main__":
    main(prog_name="python -m replyline.simulator")
