"""Finding the line a command names: `line:line` is the object `line` in `line.py`."""

import importlib
import sys
from pathlib import Path

from replyline.plugins.line import BadLine, Line


def load_line(where: str, folder: Path | None = None) -> Line:
    """The line at `MODULE:NAME`, looked for in `folder` (default: here) and among installed packages."""
    module_name, _, name = where.partition(":")
    if not module_name or not name:
        raise BadLine(f"{where!r} does not name a line; write MODULE:NAME, such as line:line.")
    here = str((folder or Path.cwd()).resolve())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and module_name.split(".")[0] == error.name.split(".")[0]:
            raise BadLine(f"There is no module {module_name} in {here}; `replyline new NAME` makes one.") from None
        raise
    line = getattr(module, name, None)
    if not isinstance(line, Line):
        raise BadLine(f"{where} is not a Line; {module_name} needs a line such as `{name} = Line(name=...)`.")
    return line
