"""The lists of prices that a process goes by just now."""

from datetime import date
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Connection, select

from replyline.costs.prices import Price, PriceList, read_prices
from replyline.db.tables import fetched_prices


class PriceBook:
    """The user's list, what was fetched from Twilio, and the shipped one; it may change while the process runs."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.now: PriceList = read_prices(folder)

    def take(self, fetched: tuple[Price, ...]) -> None:
        """Go by what Twilio's Pricing API said, too."""
        self.now = read_prices(self._folder, fetched)


def fetched(conn: Connection) -> tuple[Price, ...]:
    """What was fetched from Twilio's Pricing API, and kept."""
    return tuple(
        Price(
            what=row.what,
            country=row.country,
            sender=row.sender,
            amount=Decimal(row.amount),
            currency=row.currency,
            since=date.fromisoformat(row.since),
            source="Twilio's Pricing API",
        )
        for row in conn.execute(FETCHED)
    )


FETCHED = select(fetched_prices)
