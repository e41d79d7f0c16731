"""Write docs/settings.md anew from src/replyline/settings.py.

Run it from the repository's root: .venv/bin/python tools/write_settings_page.py
"""

from pathlib import Path

from pydantic.fields import FieldInfo

from replyline.settings import Settings

TARGET = Path(__file__).parent.parent / "docs" / "settings.md"
OPENING = """\
# Settings

<!-- Written by tools/write_settings_page.py from src/replyline/settings.py. Change it there. -->

Settings are environment variables. They are read once, when a command starts.

* A setting may also stand in a file named `.env` in the folder you start in. The environment wins.
* `NAME_FILE` names a file that holds the value of `NAME`. Use it for secrets: `TWILIO_AUTH_TOKEN_FILE=/run/secrets/token`.
* An empty value counts as not set.
* A setting that is missing or malformed stops the start with one sentence that names it and never shows its value.
* `serve`, `work` and `text` need `TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN` and `REPLYLINE_PUBLIC_URL`.
* `demo` and `dev` bring made-up `TWILIO_…` settings and a public URL of their own. Of the rest, `demo` also keeps
  pictures in a folder of its own, neither uses a bucket nor tells `REPLYLINE_ALERTS`, and both use `REPLYLINE_DATABASE_URL`
  only from the environment, never from `.env`: trying something out must not touch what is real.

| setting | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return OPENING + "".join(row(field) for field in Settings.model_fields.values())


def row(field: FieldInfo) -> str:
    default = (
        ""
        if field.default is None
        else f"`{str(field.default).lower() if field.annotation is bool else field.default}`"
    )
    return f"| `{field.alias}` | {default} | {field.description}{limits(field)} |\n"


def limits(field: FieldInfo) -> str:
    """The range of a number, as its field gives it."""
    least = next((each.ge for each in field.metadata if hasattr(each, "ge")), None)
    most = next((each.le for each in field.metadata if hasattr(each, "le")), None)
    return "" if least is None and most is None else f" From {least} to {most}."


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(f"Wrote {TARGET}")
