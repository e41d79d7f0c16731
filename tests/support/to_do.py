"""What is left to do."""

from sqlalchemy import select

from replyline.alerts import raising
from replyline.costs import bill, fetching, folding, polling
from replyline.db.tables import work
from replyline.inbound import backfill
from replyline.people import retention
from replyline.watch import look

# What a worker does now and then for as long as it runs, and what people are told.
ALWAYS_THERE = [
    backfill.KIND, look.KIND, raising.KIND, folding.KIND, polling.KIND, bill.KIND, fetching.KIND, retention.KIND,
]  # fmt: skip
TO_DO = select(work).where(work.c.kind.not_in(ALWAYS_THERE))  # what something has caused
