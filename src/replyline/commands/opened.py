"""What a command works on: a line, its settings and its database."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from replyline.log import set_up_logs


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A line whose database is open."""

    line: Any
    settings: Any
    db: Any

    @property
    def now(self) -> datetime:
        from replyline.db.clock import now_of

        now: datetime = now_of(self.db)
        return now

    @property
    def secret(self) -> bytes:
        from replyline.app import secret_of

        return secret_of(self.settings)

    @property
    def senders(self) -> Any:
        """What the line's texts may leave from."""
        from replyline.app import senders_in

        return senders_in(self.settings, self.line)

    def phone(self, written: str) -> str:
        """A number as somebody wrote it, in E.164."""
        from replyline.phone_numbers import parse_e164

        return parse_e164(written, self.line.countries[0] if self.line.countries else None)


def numbers_in(file: Iterable[str], phone_of: Callable[[str], str]) -> tuple[list[str], list[int]]:
    """The numbers of a file, and the lines that are none. What stands behind a comma is not looked at."""
    from replyline.phone_numbers import NotAPhoneNumber

    phones, bad = [], []
    for number, written in enumerate(file, start=1):
        if word := written.partition(",")[0].strip():
            try:
                phones.append(phone_of(word))
            except NotAPhoneNumber:
                bad.append(number)
    return phones, bad


@contextmanager
def opened(line_name: str) -> Iterator[Opened]:
    from replyline.db import open_db
    from replyline.db.migrate import check
    from replyline.desk import migrations_of
    from replyline.plugins.load import load_line
    from replyline.settings import read_settings

    settings, line = read_settings(), load_line(line_name)
    set_up_logs(level=settings.log_level)
    check(settings.database_url, extra=migrations_of(line))
    db = open_db(settings.database_url)
    try:
        yield Opened(line=line, settings=settings, db=db)
    finally:
        db.close_blocking()
