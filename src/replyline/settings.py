"""Every setting, each with a sentence. Read once, when the program starts."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from replyline.errors import ReplylineError


class BadSetting(ReplylineError):
    """A setting is missing or malformed, so the start is stopped."""


class Settings(BaseModel):
    """What the environment, `.env` or `NAME_FILE` say. Field aliases are the names people write."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")

    twilio_account_sid: str | None = Field(
        None,
        alias="TWILIO_ACCOUNT_SID",
        description="The account, AC and 32 hex digits.",
        pattern=r"^AC[0-9a-fA-F]{32}$",
    )
    twilio_auth_token: SecretStr | None = Field(
        None,
        alias="TWILIO_AUTH_TOKEN",
        description="Checks Twilio's signatures; several, comma separated, while one is rotated.",
    )
    twilio_api_key_sid: str | None = Field(
        None,
        alias="TWILIO_API_KEY_SID",
        description="An API key to send with instead of the auth token.",
        pattern=r"^SK[0-9a-fA-F]{32}$",
    )
    twilio_api_key_secret: SecretStr | None = Field(
        None, alias="TWILIO_API_KEY_SECRET", description="The secret of that API key."
    )
    twilio_phone_number: str | None = Field(
        None,
        alias="TWILIO_PHONE_NUMBER",
        description="The number texts leave from, in E.164, when nobody wrote to another.",
    )
    twilio_messaging_service_sid: str | None = Field(
        None,
        alias="TWILIO_MESSAGING_SERVICE_SID",
        description="The messaging service texts leave through, MG and 32 hex digits.",
        pattern=r"^MG[0-9a-fA-F]{32}$",
    )
    twilio_api_url: str = Field(
        "https://api.twilio.com",
        alias="TWILIO_API_URL",
        description="Where Twilio's REST API is; the simulator's address when trying things out.",
    )
    openai_api_key: SecretStr | None = Field(
        None,
        alias="OPENAI_API_KEY",
        description="The key of the model's endpoint; without one, demo and dev use the scripted model.",
    )
    openai_base_url: str | None = Field(
        None,
        alias="OPENAI_BASE_URL",
        description="An OpenAI-compatible endpoint other than OpenAI's own, up to and with /v1.",
    )
    model: str = Field(
        "gpt-6-luna", alias="REPLYLINE_MODEL", description="The model's name, or provider:name for another provider."
    )
    fallback_model: str | None = Field(
        None, alias="REPLYLINE_FALLBACK_MODEL", description="A second model, asked when the first cannot answer."
    )
    model_sees_pictures: bool = Field(
        True, alias="REPLYLINE_MODEL_SEES_PICTURES", description="Whether pictures people send are shown to the model."
    )
    database_url: str = Field(
        "sqlite:///replyline.db",
        alias="REPLYLINE_DATABASE_URL",
        description="sqlite:///file.db or postgresql://user:password@host/name.",
    )
    public_url: str | None = Field(
        None,
        alias="REPLYLINE_PUBLIC_URL",
        description="What Twilio calls, such as https://sms.example.com; signatures and callbacks are built from it.",
    )
    media_dir: Path = Field(
        Path("replyline-media"),
        alias="REPLYLINE_MEDIA_DIR",
        description="The folder where pictures are kept.",
    )
    media_url: str | None = Field(
        None,
        alias="REPLYLINE_MEDIA_URL",
        description="A bucket for pictures instead: s3://bucket/prefix?region=…, and &endpoint=https://… when not Amazon's.",
    )
    aws_access_key_id: str | None = Field(
        None,
        alias="AWS_ACCESS_KEY_ID",
        description="The key to that bucket; without one, the role of the machine is used.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        None, alias="AWS_SECRET_ACCESS_KEY", description="The secret of that key."
    )
    rules_dir: Path | None = Field(
        None,
        alias="REPLYLINE_RULES_DIR",
        description="A folder with files that replace the shipped rules by place of the same names.",
    )
    prices_dir: Path | None = Field(
        None,
        alias="REPLYLINE_PRICES_DIR",
        description="A folder with your own prices, texts.csv and models.csv, which come before the shipped ones.",
    )
    at_once: int = Field(
        1_000,
        alias="REPLYLINE_AT_ONCE",
        ge=1,
        le=10_000,
        description="How many turns one process works on at the same time.",
    )
    log_level: str = Field(
        "info",
        alias="REPLYLINE_LOG_LEVEL",
        pattern="^(debug|info|warning|error)$",
        description="debug, info, warning or error.",
    )
    sign_up_secret: SecretStr | None = Field(
        None,
        alias="REPLYLINE_SIGN_UP_SECRET",
        min_length=16,
        description="Signs what your web form sends to /api/v1/sign-ups; without it nobody can sign up there.",
    )
    alerts: SecretStr | None = Field(
        None,
        alias="REPLYLINE_ALERTS",
        description="Who is told when something goes wrong: addresses such as slack://…, comma separated; docs/guide/alerts.md.",
    )
    hash_secret: SecretStr | None = Field(
        None,
        alias="REPLYLINE_HASH_SECRET",
        description="Keys our links and hashes of people; without it the auth token does, until that is rotated.",
    )

    @field_validator("public_url", "openai_base_url", "twilio_api_url")
    @classmethod
    def _is_web_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("https://", "http://")):
            raise ValueError("has to begin with https:// (or http:// on your own machine)")
        return url.rstrip("/") if url else url

    @field_validator("media_url")
    @classmethod
    def _is_bucket(cls, url: str | None) -> str | None:
        if url is None:
            return None
        where = urlsplit(url)
        if where.scheme != "s3" or not re.fullmatch(r"[a-z0-9][a-z0-9.-]+", where.netloc):
            raise ValueError("has to begin with s3:// and the name of a bucket")
        if unknown := {name for name, _ in parse_qsl(where.query)} - {"region", "endpoint"}:
            raise ValueError(f"knows region and endpoint after the ?, and not {min(unknown)}")
        return url

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """Every auth token that may have signed a webhook, the current one first."""
        raw = self.twilio_auth_token.get_secret_value() if self.twilio_auth_token else ""
        return tuple(token.strip() for token in raw.split(",") if token.strip())

    def need(self, *names: str) -> None:
        """Stop with one sentence when a setting this command cannot do without is missing."""
        for name in names:
            field = type(self).model_fields[name]
            if not getattr(self, name):
                raise BadSetting(f"{field.alias} is not set. {field.description}")


def read_settings(
    environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env"), **given: Any
) -> Settings:
    """Settings from the environment, then `.env`; `NAME_FILE` names a file that holds NAME; `given` wins over all."""
    environ = os.environ if environ is None else environ
    written = {k: v for k, v in dotenv_values(dotenv).items() if v} if dotenv and dotenv.exists() else {}
    values: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        assert field.alias is not None
        if name in given:
            values[field.alias] = given[name]
        elif (value := found(field.alias, environ, written)) is not None:
            values[field.alias] = value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BadSetting(first_sentence(error)) from None  # the cause would print a secret


def found(alias: str, environ: Mapping[str, str], written: Mapping[str, str]) -> str | None:
    for source in (environ, written):
        if source.get(alias):
            return source[alias]
        if path := source.get(f"{alias}_FILE"):
            try:
                return Path(path).read_text().strip()
            except OSError as error:
                raise BadSetting(f"{alias}_FILE names {path}, which cannot be read: {error.strerror}.") from None
    return None


def first_sentence(error: ValidationError) -> str:
    """What is wrong with the first bad setting, without repeating its value: it may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    alias = str(first["loc"][0])
    field = next(f for f in Settings.model_fields.values() if f.alias == alias)
    reason = first["msg"].removeprefix("Value error, ")
    return f"{alias} is not usable: {reason}. It should be: {field.description}"


__all__ = ["BadSetting", "Settings", "read_settings"]
