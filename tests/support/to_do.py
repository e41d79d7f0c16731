"""What is left to do."""

from sqlalchemy import select

from replyline.alerts import raising
from replyline.db.tables import work
from replyline.inbound import backfill
from replyline.watch import look

# What something has caused, and not what a worker does every few minutes for as long as it runs, nor what people are told.
TO_DO = select(work).where(work.c.kind.not_in([backfill.KIND, look.KIND, raising.KIND]))
