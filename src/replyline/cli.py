"""The commands. Each does one thing; results go to standard output, logs to standard error."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from replyline.commands.alerts import alerts as alert_commands
from replyline.commands.budget import budget as budget_commands
from replyline.commands.consent import consent as consent_commands
from replyline.commands.contact import contact as contact_commands
from replyline.commands.costs import costs as costs_commands
from replyline.commands.gate import gate as gate_commands
from replyline.commands.gate import why
from replyline.commands.segments import segments as segments_command
from replyline.errors import ReplylineError
from replyline.log import set_up_logs

GYM = "replyline.examples.gym:line"
DEFAULT_PORT = 8000


class Commands(click.Group):
    """Turns our own errors into one sentence and an exit code, instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ReplylineError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="replyline")
def main() -> None:
    """Replyline answers a business's phone number by text message."""


@main.command()
@click.option("--script", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Play this conversation.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=None, help="Default: 8000, or the next that is free.")
def demo(script: Path | None, host: str, port: int | None) -> None:
    """Try it: an example gym, a simulated Twilio and a phone in the browser. No account, no key."""
    import tempfile

    set_up_logs(level="warning" if script else "info", as_json=not sys.stderr.isatty())
    with tempfile.TemporaryDirectory(prefix="replyline-demo-") as folder:
        given = {"media_dir": Path(folder) / "media"}
        if "REPLYLINE_DATABASE_URL" not in os.environ:
            given["database_url"] = f"sqlite:///{folder}/demo.db"  # type: ignore[assignment]
        if script is not None:
            sys.exit(asyncio_run(play_script(script)))
        serve_desk(GYM, host, port, **given)


@main.command()
@click.argument("line", metavar="MODULE:NAME")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=None, help="Default: 8000, or the next that is free.")
@click.option("--reload/--no-reload", default=True, show_default=True, help="Start again when a Python file changes.")
def dev(line: str, host: str, port: int | None, reload: bool) -> None:
    """Work on a line: the simulator and its phone, started again when your code changes."""
    if reload and not os.environ.get("REPLYLINE_RELOADING"):
        run_reloading(host, port)
        return
    set_up_logs(as_json=not sys.stderr.isatty())
    given = {} if "REPLYLINE_DATABASE_URL" in os.environ else {"database_url": "sqlite:///replyline-dev.db"}
    serve_desk(line, host, port, **given)


@main.command()
@click.argument("line", metavar="MODULE:NAME")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=DEFAULT_PORT, show_default=True)
@click.option("--no-worker", is_flag=True, help="Only take texts in; `replyline work` answers them elsewhere.")
def serve(line: str, host: str, port: int, no_worker: bool) -> None:
    """Answer a real number: the webhooks, and the worker unless told otherwise."""
    from replyline.app import wire
    from replyline.desk import server_config
    from replyline.plugins.load import load_line

    settings, loaded = production(), load_line(line)
    check_schema(settings.database_url, loaded)
    with socket_near(host, port) as listening:
        app = wire(settings, loaded, model=None if no_worker else model_of(settings))
        run_server(server_config(app.web()), [listening], lambda: click.echo(f"Replyline listens on {host}:{port}."))


@main.command()
@click.argument("line", metavar="MODULE:NAME")
def work(line: str) -> None:
    """Take turns and send texts, beside web processes started with `serve --no-worker`."""
    from replyline.app import wire
    from replyline.plugins.load import load_line

    settings, loaded = production(), load_line(line)
    check_schema(settings.database_url, loaded)

    async def until_told() -> None:
        app = wire(settings, loaded, model=model_of(settings))
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        async with app.running():
            click.echo("Replyline works.")
            await told.wait()

    asyncio_run(until_told())


@main.command()
@click.argument("line", metavar="[MODULE:NAME]", required=False)
def migrate(line: str | None) -> None:
    """Bring the database up to date, with the tables of the line's plugins."""
    from replyline.db.migrate import migrate as bring_up_to_date
    from replyline.desk import migrations_of
    from replyline.plugins.load import load_line
    from replyline.settings import read_settings

    settings = read_settings()
    bring_up_to_date(settings.database_url, extra=migrations_of(load_line(line)) if line else [])
    click.echo("The database is up to date.")


@main.command()
@click.argument("line", metavar="[MODULE:NAME]", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of findings.")
def doctor(line: str | None, as_json: bool) -> None:
    """Say how things are: database, work, texts in doubt, senders, Twilio. Exit code 1 when something is wrong."""
    import dataclasses
    import json

    from replyline.desk import migrations_of
    from replyline.doctor import Level, look_at_everything, worst
    from replyline.plugins.load import load_line

    settings = production()
    set_up_logs(level="critical")  # what is wrong is a finding
    findings = asyncio_run(look_at_everything(settings, extra=migrations_of(load_line(line)) if line else []))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.level:<5}  {finding.says}")
    if worst(findings) is Level.WRONG:
        sys.exit(1)


@main.command()
@click.argument("to")
@click.argument("body")
@click.option("--line", "line_name", default="line:line", show_default=True, help="The line that texts.")
@click.option(
    "--picture", "pictures", multiple=True, metavar="FILE|URL", help="A picture to send along; up to ten, 5 MB in all."
)
@click.option("--marketing", is_flag=True, help="It advertises something; stricter rules apply.")
@click.option("--program", default="", help="One of the line's programs, when people sign up for that alone.")
@click.option("--consent", "how", metavar="HOW", help="How they agreed to get such notices; kept in the ledger.")
@click.option("--by", default=lambda: os.environ.get("USER", "operator"), help="Who says so.")
def text(
    to: str,
    body: str,
    line_name: str,
    pictures: tuple[str, ...],
    marketing: bool,
    program: str,
    how: str | None,
    by: str,
) -> None:
    """Text somebody from a line. It is queued, and leaves through the same gate as every other text.

    Nobody is texted unasked without their consent: it is in the ledger already, or you say how they gave it.
    """
    from replyline.db import open_db
    from replyline.db.clock import now_of
    from replyline.outbound.choose_sender import senders_of
    from replyline.people.first_word import say_with_consent
    from replyline.phone_numbers import parse_e164
    from replyline.plugins.load import load_line
    from replyline.rules.facts import Purpose

    settings, line = production(), load_line(line_name)
    check_schema(settings.database_url, line)
    number, service = settings.twilio_phone_number, settings.twilio_messaging_service_sid
    senders = senders_of(line, number=number, service=service)
    urls = [each for each in pictures if each.startswith(("https://", "http://"))]
    own = asyncio_run(keep_pictures(settings, [Path(each) for each in pictures if each not in urls]))
    db = open_db(settings.database_url)
    phone = parse_e164(to, line.countries[0] if line.countries else None)
    purpose = Purpose.MARKETING if marketing else Purpose.TRANSACTIONAL
    try:
        text_id = db.run_blocking(
            say_with_consent,
            None if how is None else {"by": by, "how": how},
            senders=senders,
            line=line.key,
            phone=phone,
            body=body,
            media_urls=urls,
            pictures=own,
            purpose=purpose,
            program=program,
            now=now_of(db),
        )
    finally:
        db.close_blocking()
    click.echo(text_id)


async def keep_pictures(settings: Any, files: list[Path]) -> list[Any]:
    """Put pictures where the server finds them when Twilio asks for them."""
    from replyline.conversations.media_store import open_store
    from replyline.outbound.own_pictures import MOST_IN_ALL, UnsendablePicture, check, keep

    def read(file: Path) -> bytes:
        try:
            with file.open("rb") as opened:
                return opened.read(MOST_IN_ALL + 1)  # enough to see that it is too large
        except OSError as error:
            raise UnsendablePicture(f"{file} cannot be read: {error.strerror}.") from None

    checked = check([(str(file), read(file)) for file in files])
    store = open_store(settings)
    try:
        return [await keep(store, each) for each in checked]
    finally:
        await store.close()


@main.command()
def decisions() -> None:
    """List what actions wait for: a person of the business has to decide."""
    with opened_db() as db:
        from replyline.turns.decide import undecided

        for row in db.run_blocking(undecided):
            click.echo(f"{row.id}  {row.started_at:%Y-%m-%d %H:%M} UTC  {row.name}: {row.question}")


@main.command()
@click.argument("decision", metavar="ID")
@click.argument("verdict", type=click.Choice(["yes", "no"]))
@click.option("--by", default=lambda: os.environ.get("USER", "operator"), help="Who decides; kept with the decision.")
def decide(decision: str, verdict: str, by: str) -> None:
    """Decide what an action waits for; the turn goes on with it."""
    from replyline.db.clock import now_of
    from replyline.turns.decide import decide as write_down

    with opened_db() as db:
        db.run_blocking(write_down, decision, approved=verdict == "yes", by=by, now=now_of(db))
    click.echo("Decided; the turn goes on.")


@main.command()
@click.argument("name")
def new(name: str) -> None:
    """Make a folder with a line, a test of it and a README."""
    from replyline.new_line import make_line_folder

    folder = make_line_folder(name, Path.cwd())
    click.echo(f"Made {folder}. Next:\n  cd {folder.name}\n  replyline dev line:line")


main.add_command(alert_commands)
main.add_command(consent_commands)
main.add_command(contact_commands)
main.add_command(gate_commands)
main.add_command(costs_commands)
main.add_command(budget_commands)
main.add_command(why)
main.add_command(segments_command)


def serve_desk(where: str, host: str, port: int | None, **given: Any) -> None:
    """Run a line with the simulator until interrupted."""
    from replyline.db.migrate import migrate as bring_up_to_date
    from replyline.desk import desk_settings, make_desk, migrations_of, server_config
    from replyline.plugins.load import load_line

    line = load_line(where)
    with socket_near(host, port) as listening:
        url = f"http://{host}:{listening.getsockname()[1]}"
        settings = desk_settings(url, **given)
        bring_up_to_date(settings.database_url, extra=migrations_of(line))
        model, note = desk_model(settings)
        desk = make_desk(line, url=url, settings=settings, model=model, model_note=note)

        def announce() -> None:
            click.echo(f"\n  {line.name} answers. Its phone: {url}/\n  {note}\n  Stop with Ctrl-C.\n")

        run_server(server_config(desk.web), [listening], announce, desk.stopping.set)


async def play_script(path: Path) -> int:
    """Play a conversation in the terminal; 0 when every expectation in it held."""
    from replyline.desk import desk_settings, open_desk
    from replyline.plugins.load import load_line
    from replyline.simulator.script import play, read_script

    script = read_script(path)
    model, note = desk_model(desk_settings("http://127.0.0.1:1"))
    click.echo(note)
    async with open_desk(load_line(GYM), model=model) as desk:
        return 0 if await play(script, desk.phone, click.echo) else 1


def desk_model(settings: Any) -> tuple[Any, str]:
    """The real model when there is a key, else the scripted one; and a sentence that says which."""
    if settings.openai_api_key or settings.openai_base_url or ":" in settings.model:
        return model_of(settings), f"Answers are written by {settings.model}."
    from replyline.llm.scripted import NOT_AN_LLM, scripted_model

    return scripted_model(), NOT_AN_LLM


def model_of(settings: Any) -> Any:
    from replyline.llm.models import build_model

    if ":" not in settings.model and not settings.openai_base_url:
        settings.need("openai_api_key")
    return build_model(
        model=settings.model,
        api_key=settings.openai_api_key.get_secret_value() if settings.openai_api_key else None,
        base_url=settings.openai_base_url,
        fallback_model=settings.fallback_model,
    )


def production() -> Any:
    """Settings for a real number, with logs as the operator wants them."""
    from replyline.settings import read_settings

    settings = read_settings()
    set_up_logs(level=settings.log_level)
    settings.need("twilio_account_sid", "twilio_auth_token", "public_url")
    return settings


def check_schema(url: str, line: Any) -> None:
    from replyline.db.migrate import check
    from replyline.desk import migrations_of

    check(url, extra=migrations_of(line))


@contextlib.contextmanager
def opened_db() -> Iterator[Any]:
    from replyline.db import open_db
    from replyline.settings import read_settings

    db = open_db(read_settings().database_url)
    try:
        yield db
    finally:
        db.close_blocking()


def run_server(
    config: Any,
    sockets: list[socket.socket],
    announce: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; `announce` once it listens, `stopping` before it waits for open connections."""
    import uvicorn

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                announce()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            stopping()
            await super().shutdown(sockets=sockets)

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn's own raises the signal once more at the end, and a clean stop would look like a crash.
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            yield

    server = Announcing(config)
    asyncio_run(server.serve(sockets=sockets))


def asyncio_run(main: Any) -> Any:
    """Run on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(main)
    return uvloop.run(main)


@contextlib.contextmanager
def socket_near(host: str, port: int | None) -> Iterator[socket.socket]:
    """A listening socket at the port, or at the first free one from 8000 on when none was asked for."""
    from replyline.desk import PortTaken, bound_socket

    candidates = [port] if port is not None else [*range(DEFAULT_PORT, DEFAULT_PORT + 20), 0]
    with contextlib.ExitStack() as stack:
        for candidate in candidates:
            try:
                listening = stack.enter_context(bound_socket(host, candidate))
                break
            except PortTaken:
                if candidate == candidates[-1]:
                    raise
        yield listening


def run_reloading(host: str, port: int | None) -> None:
    """Run the same command in a child that is started again whenever a Python file changes."""
    from watchfiles import PythonFilter, run_process

    os.environ["REPLYLINE_RELOADING"] = "1"
    command = " ".join([sys.executable, "-m", "replyline.cli", *sys.argv[1:]])
    run_process(Path.cwd(), target=command, target_type="command", watch_filter=PythonFilter())


if __name__ == "__main__":
    main()
