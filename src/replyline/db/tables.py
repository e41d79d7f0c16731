"""Every table, on one page. Statements sit beside the slice that uses them.

Ids are ours (`db.ids`); times are `UtcTime`; money is whole micro-dollars; phone numbers are E.164.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy import Boolean as Bool

from replyline.db.columns import Json, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def only(condition: str) -> dict[str, Any]:
    """Have an index hold the rows alone of which this is true, on both engines."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


contacts = Table(
    "contacts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("line", String(64), nullable=False),
    Column("phone", String(64), nullable=False),
    Column("name", String(200)),
    Column("notes", Json),
    # Where they are, as far as they or the business have said; whose hours count is told from these and the number.
    Column("zone", String(64)),
    Column("state", String(2)),  # of the US
    Column("postal_code", String(12)),
    Column("introduced_at", UtcTime),  # when they were last told who texts, how to stop, and that an AI writes
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("line", "phone"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("line", String(64), nullable=False),
    Column("contact_id", ForeignKey("contacts.id"), nullable=False, index=True),
    Column("phone", String(64), nullable=False),
    Column("our_address", String(64), nullable=False),  # the number or code of ours they wrote to
    Column("created_at", UtcTime, nullable=False),
    Column("last_inbound_at", UtcTime),
    Column("taken_over_by", String(200)),  # a person answers here; turns are dropped
    # How far ahead this phone has used up its rate of turns (GCRA), so the limit holds over all processes.
    Column("rate_until", UtcTime),
    # The loop guard: answers in a row, each soon after the last.
    Column("quick_answers", Integer, nullable=False, server_default="0"),
    Column("last_answer_at", UtcTime),
    # They have opted out with a word that may have answered our question: until then the answer may say so, once.
    Column("clarifies_until", UtcTime),
    UniqueConstraint("line", "phone", "our_address"),
)

texts = Table(
    "texts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("line", String(64), nullable=False),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("is_inbound", Bool, nullable=False),
    Column("sid", String(40), unique=True),  # Twilio's; none until Twilio has the text
    Column("phone", String(64), nullable=False),
    Column("our_address", String(64), nullable=False),
    Column("messaging_service_sid", String(40)),
    Column("body", Text, nullable=False),
    Column("media", Json),  # [{"url": ..., "content_type": ...}], in order
    Column("encoding", String(8)),
    Column("segments", Integer),
    Column("purpose", String(32)),
    Column("program", String(64)),  # what it belongs to, when people agree to that alone: "offers"
    Column("status", String(16), nullable=False),
    Column("status_at", UtcTime, nullable=False),
    Column("error_code", Integer),
    Column("why", Text),  # why it was refused, held or given up, for the operator
    Column("created_at", UtcTime, nullable=False),
    Column("turn_id", String(40), index=True),  # inbound: the turn that answered it; outbound: the turn that wrote it
    Column("handled_at", UtcTime),  # inbound: no turn needs to answer it any more
    Column("not_before", UtcTime),
    Column("expires_at", UtcTime),
    Column("sending_at", UtcTime),  # outbound: when the request that may be on the wire was begun
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("twilio_away_at", UtcTime),  # outbound, in doubt: when Twilio was last asked about it in vain
    Column("adopted_at", UtcTime),  # outbound: when the SID was found by likeness; none once a callback has proved it
    Column("opt_out_type", String(8)),  # what Advanced Opt-Out says it has already answered
    Column("fields", Json),  # inbound: every field of the webhook that has no column here
    Column("found_at", UtcTime),  # inbound: when we found it in Twilio's list, because no webhook had brought it
    Column("looked_at", UtcTime),  # outbound: when Twilio was last asked how it ended
    Index("ix_texts_conversation_id_created_at", "conversation_id", "created_at"),
    Index("ix_texts_waiting", "conversation_id", **only("is_inbound AND handled_at IS NULL")),
    Index("ix_texts_in_doubt", "status_at", **only("status = 'unknown'")),
    Index("ix_texts_unheard_of", "sending_at", **only("status = 'sent'")),
    Index("ix_texts_found", "found_at", **only("found_at IS NOT NULL")),
    Index("ix_texts_ended", "status_at", **only("status IN ('delivered', 'undelivered', 'failed')")),
    Index("ix_texts_held_by_an_error", "error_code", **only("status = 'queued' AND error_code IS NOT NULL")),
    Index("ix_texts_advertising", "line", "phone", "sending_at", **only("purpose = 'marketing'")),
)

media = Table(
    "media",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("text_id", ForeignKey("texts.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("url", Text, nullable=False),  # at Twilio; empty for a picture of ours
    Column("content_type", String(100), nullable=False),
    Column("state", String(16), nullable=False),  # waiting, kept or lost
    Column("path", Text),  # where the bytes are: the key in the media store
    Column("size", Integer),
    Column("why", Text),  # why it was lost
    Column("twilio_copy", String(8)),  # "due" to be deleted at Twilio, "gone"; none: it stays there
    UniqueConstraint("text_id", "position"),
    Index("ix_media_path", "path"),  # a picture of ours is kept once, however many texts have it
)

delivery_reports = Table(
    "delivery_reports",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("sid", String(40), nullable=False),
    Column("text_id", String(40), index=True),  # none when the report is about a text we do not know
    Column("status", String(24), nullable=False),
    Column("error_code", Integer, nullable=False, server_default="0"),  # 0: none, so that repeats are seen as such
    Column("fields", Json, nullable=False),
    Column("source", String(16), nullable=False, server_default="callback"),  # or list: we asked Twilio ourselves
    Column("received_at", UtcTime, nullable=False),
    UniqueConstraint("sid", "status", "error_code"),
)

# How far Twilio's list has been read, for each address of ours; the row without an address is for the line as a whole.
backfill_marks = Table(
    "backfill_marks",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("our_address", String(64), primary_key=True),
    Column("began_at", UtcTime, nullable=False),  # what came before is somebody else's
    Column("seen_until", UtcTime, nullable=False),
    Column("away_until", UtcTime),  # when nobody had looked for a while, and somebody did again
)

turns = Table(
    "turns",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("line", String(64), nullable=False),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("deadline_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("runs", Integer, nullable=False, server_default="1"),  # 1, and one more for each crash it survived
    Column("outcome", String(40)),
    Column("why", Text),
    Column("record", Json),  # what the model was told of the contact, fixed at the start
    Column("holding_text_id", String(40)),  # the "one moment" text, if it was needed
    Index("ix_turns_failed", "ended_at", **only("state = 'failed'")),
)

steps = Table(
    "steps",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("turn_id", ForeignKey("turns.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", String(16), nullable=False),  # model, action, check, hear, texts
    Column("key", String(200), nullable=False),  # an action's `once`; unique within the turn
    Column("name", String(100), nullable=False),
    Column("state", String(16), nullable=False),  # started, ended, paused
    Column("input", Text),
    Column("output", Text),
    Column("error", Text),  # the whole traceback, for the operator only
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("decided_by", String(200)),
    Column("model", String(100)),
    Column("input_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("cache_write_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cost_micros", BigInteger),  # none: the price is not known; never taken for zero
    UniqueConstraint("turn_id", "key"),
)

work = Table(
    "work",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("lane", String(64), nullable=False, server_default=""),
    Column("priority", Integer, nullable=False, server_default="5"),
    Column("since", UtcTime, nullable=False),  # when it was first armed since it was last done
    Column("due", UtcTime, nullable=False),
    Column("again", UtcTime),  # armed while being worked on: due once more afterwards
    Column("token", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("owner", String(64)),
    Index("ix_work_kind_lane_priority_due", "kind", "lane", "priority", "due"),
)

# Who may not be texted, in force: what the events of consent add up to.
opt_outs = Table(
    "opt_outs",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("phone", String(64), primary_key=True),
    Column("scope", String(16), nullable=False, server_default="all"),  # all, or marketing or transactional alone
    Column("since", UtcTime, nullable=False),
    Column("source", String(32), nullable=False),
    Column("text_id", String(40)),
)

# The same for people whose number has been erased: known by a keyed hash of it, which nobody can turn back.
suppressions = Table(
    "suppressions",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("scope", String(16), nullable=False, server_default="all"),
    Column("since", UtcTime, nullable=False),
    Column("source", String(32), nullable=False),
)

# What people have agreed to, in force: what the events of consent add up to.
consents = Table(
    "consents",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("phone", String(64), primary_key=True),
    Column("purpose", String(32), primary_key=True),  # transactional or marketing
    Column("program", String(64), primary_key=True, server_default=""),  # none: the line's ordinary texts
    Column("tier", String(16), nullable=False),  # express or express_written
    Column("is_confirmed", Bool, nullable=False),  # they answered our own question too: double opt-in
    Column("since", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("event_id", String(40), nullable=False),
)

# The ledger: appended to, never changed but for what an erasure takes out. Each row's hash covers the row before it.
consent_events = Table(
    "consent_events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("line", String(64), nullable=False),
    Column("phone", String(64)),  # gone after an erasure; then
    Column("person", String(64)),  # the keyed hash of it stays
    Column("kind", String(32), nullable=False),  # opt_out, reopened, help, opt_in, opt_in_requested, erased, ...
    Column("source", String(32), nullable=False),  # keyword, carrier, person, web_form, import, ...
    Column("scope", String(16)),
    Column("tier", String(16)),
    Column("program", String(64)),
    Column("matched_by", String(32)),  # how a text was understood: twilio, per_se, list, phrase, classifier
    Column("word", Text),  # as they wrote it
    Column("text_id", String(40)),
    Column("at", UtcTime, nullable=False),
    Column("recorded_at", UtcTime),
    Column("proof", Json),  # what was shown, where, by whom: compliance.md §7
    Column("salt", String(64)),
    Column("content_hash", String(64)),  # of phone, word and proof with the salt, so that these can be erased
    Column("position", BigInteger),  # in the line's chain, from 1
    Column("hash", String(64)),  # of the row and the hash before it; none: from before there was a chain
    Index("ix_consent_events_line_phone", "line", "phone"),
    Index("ix_consent_events_line_position", "line", "position", unique=True),
)

# The end of each line's chain: a row that is missing there shows too.
consent_chains = Table(
    "consent_chains",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

# What the gate has said of each text, and by what: a text that waits has several.
decisions = Table(
    "decisions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("text_id", String(40), nullable=False, index=True),
    Column("line", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("verdict", String(16), nullable=False),  # send, wait or refuse
    Column("until", UtcTime),
    Column("rule", String(64)),  # whose verdict held
    Column("why", Text),
    Column("rules_version", String(100), nullable=False),
    Column("facts", Json, nullable=False),
    Column("said", Json, nullable=False),  # every rule's word
)

# What people of the business did that somebody may ask about: exports, erasures, raised budgets.
audit_events = Table(
    "audit_events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("line", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("person", String(64)),  # the keyed hash of whom it is about
    Column("details", Json),
    Index("ix_audit_events_line_at", "line", "at"),
)

# Messages of people who were forgotten, which Twilio is still to delete. All of an erasure go once the last of them is gone.
twilio_deletions = Table(
    "twilio_deletions",
    metadata,
    Column("sid", String(40), primary_key=True),
    Column("erasure", String(40), nullable=False, index=True),
    Column("line", String(64), nullable=False),
    Column("person", String(64), nullable=False),  # the keyed hash of whom they are about
    Column("actor", String(200), nullable=False),
    Column("has_media", Bool, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),  # that Twilio would not, or could not
    Column("gone_at", UtcTime),
    Index("ix_twilio_deletions_line_person", "line", "person"),
)

# How far a line's look for what is too old has come; no row between two of them.
retention_passes = Table(
    "retention_passes",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("began_at", UtcTime, nullable=False),
    Column("stage", String(16), nullable=False),  # conversations, then people
    Column("after", String(64), nullable=False, server_default=""),  # the last that was looked at
    Column("counts", Json, nullable=False),  # what went, by kind
)

# How far a line's ledger has been read for what Twilio's Consent API is to be told.
consent_syncs = Table(
    "consent_syncs",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("not_before", UtcTime),  # when it may be asked again
    Column("opt_ins_after", BigInteger, nullable=False),  # older ones are not told: they could undo a newer STOP there
)

# What Twilio's Consent API is still to be told, or has refused. The number is in the ledger alone.
consent_pushes = Table(
    "consent_pushes",
    metadata,
    Column("correlation_id", String(32), primary_key=True),  # made of the event and the sender: the same in every try
    Column("line", String(64), nullable=False),
    Column("event_id", String(40), nullable=False, index=True),
    Column("position", BigInteger, nullable=False),
    Column("sender", String(64), nullable=False),
    Column("status", String(8), nullable=False),  # opt-in or opt-out
    Column("since", UtcTime, nullable=False),
    Column("due", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("refused_at", UtcTime),
    Column("error_code", Integer),
    Column("why", String(200)),
    Index("ix_consent_pushes_line_position", "line", "position"),
)

senders = Table(
    "senders",
    metadata,
    # A sender, several that share one rate (a 10DLC campaign, all MMS of an account), or a brand with its daily cap.
    Column("address", String(64), primary_key=True),
    # GCRA: the moment up to which this sender's rate is already spoken for.
    Column("spoken_for_until", UtcTime, nullable=False),
    # Twilio asked us to slow down: this part of the rate was left then. It grows back with time.
    Column("slowed_to", Float, nullable=False, server_default="1"),
    Column("slowed_at", UtcTime),
    # Nothing leaves before this, and why, for the operator.
    Column("closed_until", UtcTime),
    Column("why", Text),
    # What was sent on this day, US Pacific, against a daily cap.
    Column("day", String(10), nullable=False, server_default=""),
    Column("sent_that_day", Integer, nullable=False, server_default="0"),
)

_big_key = BigInteger().with_variant(Integer, "sqlite")


def _micros(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


# What one text, fee or request to a model costs, in whole micros: estimated at once, and Twilio's own price later.
charges = Table(
    "charges",
    metadata,
    Column("of_id", String(64), primary_key=True),  # the text, the step, or what else it is for
    Column("kind", String(16), primary_key=True),  # sms_out, sms_in, mms_out, mms_in, failed, model, rent, adjustment
    Column("line", String(64), nullable=False),  # empty: the account as a whole
    Column("at", UtcTime, nullable=False),
    Column("conversation_id", String(40), index=True),
    Column("campaign", String(64), nullable=False, server_default=""),
    Column("country", String(2), nullable=False, server_default=""),
    Column("sender", String(64), nullable=False, server_default=""),
    Column("purpose", String(32), nullable=False, server_default=""),
    Column("model", String(100), nullable=False, server_default=""),
    Column("units", Integer, nullable=False),  # segments, messages with pictures, requests
    Column("input_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cached_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cache_write_tokens", BigInteger, nullable=False, server_default="0"),
    Column("output_tokens", BigInteger, nullable=False, server_default="0"),
    Column("estimate_micros", BigInteger),  # none: no list has the price; never taken for zero
    Column("carrier_micros", BigInteger),  # the part of the estimate that carriers take
    Column("estimate_currency", String(3), nullable=False, server_default="USD"),
    Column("price_micros", BigInteger),  # Twilio's own; none until it is known
    Column("currency", String(3), nullable=False, server_default="USD"),
    Column("look_at", UtcTime),  # when Twilio is asked for its price; none: it is known, or was asked for long enough
    Index("ix_charges_look_at", "look_at", **only("look_at IS NOT NULL")),
    Index("ix_charges_at", "at"),
)

# Sums over charges. A change is appended as a row of its day, with what caused it; a job folds those into one row for
# each day and one for each month.
charge_days = Table(
    "charge_days",
    metadata,
    Column("id", _big_key, primary_key=True),
    Column("line", String(64), nullable=False),
    Column("period", String(10), nullable=False),  # 2026-03-02, or of a folded row 2026-03 too; UTC, as Twilio's
    Column("kind", String(16), nullable=False),
    Column("country", String(2), nullable=False),
    Column("sender", String(64), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("campaign", String(64), nullable=False),
    Column("model", String(100), nullable=False),
    Column("currency", String(3), nullable=False),
    _micros("charges"),
    _micros("units"),
    _micros("cost_micros"),  # Twilio's price where it is known, else the estimate
    _micros("estimated_micros"),
    _micros("difference_micros"),  # prices less their estimates
    _micros("unknown"),  # charges without any price
    _micros("unpriced"),  # charges that wait for Twilio's
    _micros("input_tokens"),
    _micros("cached_tokens"),
    _micros("cache_write_tokens"),
    _micros("output_tokens"),
    Column("is_folded", Bool, nullable=False),
    Index("ix_charge_days_folded", "line", "period", **only("is_folded")),
    Index("ix_charge_days_new", "id", **only("NOT is_folded")),
)

# The same by conversation, for each month and each year.
charge_talks = Table(
    "charge_talks",
    metadata,
    Column("id", _big_key, primary_key=True),
    Column("line", String(64), nullable=False),
    Column("period", String(7), nullable=False),  # 2026-03, or of a folded row 2026 too
    Column("conversation_id", String(40), nullable=False),
    Column("currency", String(3), nullable=False),
    _micros("charges"),
    _micros("cost_micros"),
    _micros("unknown"),
    Column("is_folded", Bool, nullable=False),
    Index("ix_charge_talks_folded", "conversation_id", "period", **only("is_folded")),
    Index("ix_charge_talks_dearest", "line", "period", "cost_micros", **only("is_folded")),
    Index("ix_charge_talks_new", "id", **only("NOT is_folded")),
)

# What Twilio says it billed, by UTC day and category of its usage records.
usage_days = Table(
    "usage_days",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("category", String(64), primary_key=True),
    Column("price_micros", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("read_at", UtcTime, nullable=False),
)

# Prices as Twilio's Pricing API gave them, with the day they were fetched.
fetched_prices = Table(
    "fetched_prices",
    metadata,
    Column("what", String(16), primary_key=True),
    Column("country", String(2), primary_key=True),
    Column("sender", String(24), primary_key=True),
    Column("since", String(10), primary_key=True),
    Column("amount", String(32), nullable=False),  # as it was given
    Column("currency", String(3), nullable=False),
)

# What a budget has left, by period of the line's time zone: held by a claim from the look at it to the commit.
budgets = Table(
    "budgets",
    metadata,
    Column("line", String(64), primary_key=True),
    # line, model, campaign:KEY or contact:ID
    Column("scope", String(80), primary_key=True),
    Column("period", String(10), primary_key=True),  # 2026-03-02, 2026-03, or all
    _micros("spent_micros"),  # what Twilio has: its price where it is known, else the estimate
    _micros("reserved_micros"),  # estimates of what is on the wire, or in doubt
    _micros("raised_micros"),  # what a person added for this period
    Column("alerted", Integer, nullable=False, server_default="0"),  # the highest threshold that was told, in percent
    Index("ix_budgets_period", "period"),
)

# What each text takes of which budgets: reserved before it leaves, then spent.
reservations = Table(
    "reservations",
    metadata,
    Column("text_id", String(40), primary_key=True),
    Column("line", String(64), nullable=False),
    Column("parts", Json, nullable=False),  # [scope, period] of each budget
    _micros("estimate_micros"),
    _micros("reserved_micros"),
    _micros("spent_micros"),
)

# How many texts left in an hour to a country, to a block of numbers or to a contact, against sudden jumps.
hourly_sends = Table(
    "hourly_sends",
    metadata,
    Column("line", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),  # country:GB, prefix:+447700900, contact:ID
    Column("hour", UtcTime, primary_key=True),
    Column("sent", Integer, nullable=False),
    Column("alerted_at", UtcTime),
    Index("ix_hourly_sends_hour", "hour"),
)

# What people have been told is going on, by what it is about. A row without a level is over.
alerts = Table(
    "alerts",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("level", String(8)),  # look or wrong: the highest since it began
    Column("says", Text),
    Column("since", UtcTime),
    Column("seen_at", UtcTime),  # when it was last not well
    Column("told_at", UtcTime),
    Column("is_watched", Bool),  # a look ends it; else whoever raised it does
)

# What is to be told of alerts, and to which addresses it has been.
alert_tellings = Table(
    "alert_tellings",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("key", String(100), nullable=False),
    Column("event", String(8), nullable=False),  # began, worse, still, ended
    Column("level", String(8), nullable=False),
    Column("says", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("told", Json, nullable=False),  # keyed hashes of addresses
    Column("over_at", UtcTime),  # when all were told, or those that were not given up
    Index("ix_alert_tellings_waiting", "key", **only("over_at IS NULL")),
)

# How often things happened, by minute, for whoever looks whether all is well.
tallies = Table(
    "tallies",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("at", UtcTime, primary_key=True),
    Column("count", Integer, nullable=False),
    Index("ix_tallies_at", "at"),
)
