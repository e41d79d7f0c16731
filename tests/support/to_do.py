"""What is left to do."""

from sqlalchemy import select

from replyline.db.tables import work
from replyline.inbound import backfill

# What something has caused, and not what a worker does every few minutes for as long as it runs.
TO_DO = select(work).where(work.c.kind != backfill.KIND)
