"""What deploy/ says to run exists: its commands, its settings, its files, and time enough for a stop."""

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from replyline.app import CONNECTION_GRACE, WORK_GRACE
from replyline.cli import main
from replyline.settings import Settings
from replyline.work.worker import CLEARING_UP

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SETTINGS = {field.alias for field in Settings.model_fields.values()}
LONGEST_STOP = CONNECTION_GRACE + WORK_GRACE + CLEARING_UP
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "replyline"}


class Unit(ConfigParser):
    """A unit file, as far as these tests read it; a name may be there several times."""

    def __init__(self, path):
        super().__init__(strict=False, interpolation=None)
        self.text = path.read_text()
        self.read_string(self.text)

    def all(self, name):
        return re.findall(rf"^{name}=(.*)$", self.text, re.MULTILINE)


def check_command(words):
    """Read a command as the program would; raises what a person would be shown."""
    command = main.commands[words[0]]
    with command.make_context(words[0], list(words[1:])):
        pass


def setting_of(name):
    return name.removesuffix("_FILE")


@pytest.mark.parametrize("name", OURS)
def test_the_services_run_commands_that_there_are(name):
    check_command(OURS[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_the_services_give_settings_that_there_are_and_secrets_as_files(name):
    service = OURS[name]
    given = service["environment"]
    assert {setting_of(each) for each in given} <= SETTINGS
    files = {value.removeprefix("/run/secrets/") for each, value in given.items() if each.endswith("_FILE")}
    assert files == set(service["secrets"])
    secret = {alias for alias in SETTINGS if re.search("TOKEN|SECRET|KEY|DATABASE_URL", alias)}
    assert not secret & set(given)


def test_every_secret_of_the_compose_file_is_used_and_made_by_the_readme():
    readme = (DEPLOY / "README.md").read_text()
    used = {secret for service in COMPOSE["services"].values() for secret in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"] == f"secrets/{name}"
        assert f"> secrets/{name}" in readme


@pytest.mark.parametrize("name", OURS)
def test_the_services_have_time_to_stop_and_wait_for_the_tables(name):
    assert int(OURS[name]["stop_grace_period"].removesuffix("s")) > LONGEST_STOP
    if name == "migrate":
        assert OURS[name]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    else:
        assert OURS[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_nobody_is_told_that_postgres_is_ready_while_it_is_being_set_up():
    """Until then its image runs a server that listens on no network, and `migrate` would find nobody there."""
    healthcheck = COMPOSE["services"]["postgres"]["healthcheck"]["test"]
    assert healthcheck[:2] == ["CMD", "pg_isready"]
    assert healthcheck[healthcheck.index("-h") + 1] == "127.0.0.1"


def test_the_proxy_goes_to_the_web_processes_there_are():
    web = {name for name, service in OURS.items() if service["command"][0] == "serve"}
    to = re.search(r"reverse_proxy (.*) \{", (DEPLOY / "Caddyfile").read_text())[1].split()
    assert {place.partition(":")[0] for place in to} == web == set(COMPOSE["services"]["proxy"]["depends_on"])
    ports = {OURS[name]["command"][OURS[name]["command"].index("--port") + 1] for name in web}
    assert {place.partition(":")[2] for place in to} == ports


def test_the_image_is_built_from_files_that_there_are():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    copied = [
        word for words in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE) for word in words.split()
    ]
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text()
    for each in copied:
        assert (ROOT / each).exists()
        assert f"!{each}" in kept
    versions = set(re.findall(r"^FROM python:(\S+)-slim", dockerfile, re.MULTILINE))
    assert len(versions) == 1
    assert f'"Programming Language :: Python :: {versions.pop()}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_the_units_run_commands_and_give_settings_that_there_are(path):
    unit = Unit(path)
    program, *words = shlex.split(unit["Service"]["ExecStart"].replace("%i", "8001"))
    assert Path(program).name == "replyline"
    check_command(words)
    given = dict(each.split("=", 1) for each in unit.all("Environment"))
    assert {setting_of(each) for each in given} <= SETTINGS
    credentials = {each.partition(":")[0] for each in unit.all("LoadCredential")}
    assert credentials == {value.removeprefix("%d/") for each, value in given.items() if each.endswith("_FILE")}
    assert int(unit["Service"]["TimeoutStopSec"]) > LONGEST_STOP


def test_the_readme_names_settings_that_there_are():
    readme = (DEPLOY / "README.md").read_text()
    named = set(re.findall(r"\b(?:TWILIO|REPLYLINE|OPENAI)_[A-Z_]+\b", readme))
    assert named <= SETTINGS
