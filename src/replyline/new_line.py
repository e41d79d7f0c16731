"""Making the folder of a new line: its line file, a test of it, and a README."""

import re
from importlib import resources
from pathlib import Path
from string import Template

from replyline.errors import ReplylineError

TEMPLATES = resources.files("replyline") / "templates" / "new"
SUFFIX = ".template"


class CannotMakeLine(ReplylineError):
    """The folder of a new line cannot be made, and why."""


def make_line_folder(name: str, where: Path) -> Path:
    """Make the folder `name` below `where`, with a line that works. Raises `CannotMakeLine`."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,59}", name):
        raise CannotMakeLine(
            f"{name!r} cannot name a line; use letters, digits, hyphens and underscores, such as my-gym."
        )
    folder = where / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise CannotMakeLine(f"{folder} exists already; choose another name or remove it.") from None
    except OSError as error:
        raise CannotMakeLine(f"{folder} cannot be made: {error.strerror}.") from None
    title = re.sub(r"[-_]+", " ", name).strip().title()
    for template in TEMPLATES.iterdir():
        if template.name.endswith(SUFFIX):
            text = Template(template.read_text(encoding="utf-8")).substitute(name=name, title=title)
            (folder / template.name.removesuffix(SUFFIX)).write_text(text, encoding="utf-8")
    return folder
