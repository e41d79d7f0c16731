"""Write src/replyline/db/migrations/versions/0001_first.py anew from src/replyline/db/tables.py.

For the time before the first release only: afterwards 0001 is frozen and a change of tables.py is a new revision.
Run it from the repository's root: .venv/bin/python tools/remake_first_migration.py
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from replyline.db.columns import UtcTime
from replyline.db.migrate import OURS
from replyline.db.tables import metadata

TARGET = OURS.folder / "0001_first.py"
HEADER = '''"""The first tables."""

import sqlalchemy as sa
from alembic import op
{imports}
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    {operations}
'''


def main() -> None:
    with create_engine("sqlite://").connect() as conn:
        context = MigrationContext.configure(conn, opts={"target_metadata": metadata})
        operations = produce_migrations(context, metadata).upgrade_ops
    assert operations is not None
    imports: set[str] = set()
    code = render_python_code(operations, render_item=plain_type, imports=imports)
    code = code.replace("JSONB(astext_type=Text())", "JSONB()")  # Alembic forgets to say where Text comes from
    code = "\n".join(line for line in code.splitlines() if not line.strip().startswith("# ###"))
    if "postgresql." in code:
        imports.add("from sqlalchemy.dialects import postgresql")
    TARGET.write_text(HEADER.format(imports="\n".join(sorted(imports)), operations=code.strip()))
    for chore in (["format"], ["check", "--fix", "--select", "I"]):
        subprocess.run([Path(sys.executable).with_name("ruff"), *chore, "--quiet", TARGET], check=True)  # noqa: S603
    print(f"Wrote {TARGET}")


def plain_type(kind: str, item: Any, context: object) -> str | bool:
    """Our own column types as what they are in the database, so that the revision stays as it is when they change."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, UtcTime) else False


if __name__ == "__main__":
    main()
