"""The plugin's own tables, on its own metadata; `migrations/` makes them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

from replyline.db.columns import UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

appointments = Table(
    "appointments",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("line", String(64), nullable=False),
    Column("contact_id", String(40), nullable=False),
    Column("number", Integer, nullable=False),  # what people read: 7 is A7 to this contact
    Column("service", String(100), nullable=False),
    Column("resource", String(100), nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),  # booked or cancelled
    Column("notes", Text, nullable=False, server_default=""),
    # For the staff's calendar: who comes, as they were known when they booked.
    Column("phone", String(64), nullable=False),
    Column("name", String(200)),
    Column("sequence", Integer, nullable=False, server_default="0"),  # calendars take the event with the highest
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    UniqueConstraint("line", "contact_id", "number"),
    Index("ix_appointments_line_starts_at", "line", "starts_at"),
)

# A booked appointment takes one seat in every five-minute cell it covers. The primary key is what makes a double
# booking impossible, and the unique constraint what keeps one person from holding two overlapping ones of a kind.
cells = Table(
    "appointment_cells",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("resource", String(100), primary_key=True),
    Column("cell", UtcTime, primary_key=True),
    Column("seat", Integer, primary_key=True),  # 1 to the capacity
    Column("appointment_id", ForeignKey("appointments.id"), nullable=False),
    Column("contact_id", String(40), nullable=False),
    Column("service", String(100), nullable=False),
    UniqueConstraint("line", "contact_id", "service", "cell"),
    sqlite_with_rowid=False,
)

# What each call of an action did, by its `once` key: a second call gets the first one's answer and changes nothing.
calls = Table(
    "appointment_calls",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("once", String(255), primary_key=True),
    Column("answer", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
