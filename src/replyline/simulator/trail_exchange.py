"""An exchange as a whole: its texts, where it stands, what it took, and its moments in order."""

from collections.abc import Iterator, Sequence
from typing import Any

from replyline.conversations.delivery import Status, from_twilio
from replyline.costs.prices import USD
from replyline.db.columns import AnyRow
from replyline.simulator.trail_records import Exchange, Figures, Moment, Picture, Rows, Said, Tone, millis, since
from replyline.simulator.trail_words import NEVER_SENT, heard_as, moments_of
from replyline.turns.states import StepKind, TurnState


def exchange_of(phone: str, rows: Rows) -> Exchange:
    """What happened between a person's texts and the replies to them, as far as it has come."""
    state, tone = state_of(rows)
    first = rows.inbound[0] if rows.inbound else rows.outbound[0]
    return Exchange(
        id=first.id,
        phone=phone,
        began_at=millis(rows.began_at),
        state=state,
        tone=tone,
        texts=tuple(said(row, rows) for row in rows.inbound),
        replies=tuple(said(row, rows) for row in rows.outbound),
        moments=tuple(in_order(moments_of(rows))),
        figures=figures_of(rows),
    )


def state_of(rows: Rows) -> tuple[str, Tone]:
    """Where the exchange as a whole is."""
    turn, statuses = rows.turn, {Status(row.status) for row in rows.outbound}
    if turn is not None and turn.state == TurnState.WAITING:
        return "a person decides", Tone.HELD
    if statuses & {Status.UNDELIVERED, *NEVER_SENT} - {Status.CANCELED}:
        return next(s.value for s in [Status.UNDELIVERED, *NEVER_SENT] if s in statuses), Tone.BAD
    if Status.UNKNOWN in statuses:
        return "in doubt", Tone.HELD
    if any(row.status == Status.QUEUED and row.why for row in rows.outbound):
        return "held", Tone.HELD
    if turn is not None and turn.state == TurnState.RUNNING:
        return ("trying again", Tone.HELD) if turn.why else ("working", Tone.BUSY)
    if turn is not None and turn.state == TurnState.FAILED:
        return "fallback text", Tone.BAD
    for status, tone in ((Status.QUEUED, Tone.BUSY), (Status.SENDING, Tone.BUSY), (Status.SENT, Tone.PLAIN)):
        if status in statuses:
            return status.value, tone
    if statuses:
        return (Status.DELIVERED.value, Tone.GOOD) if Status.DELIVERED in statuses else ("canceled", Tone.PLAIN)
    return state_without_reply(rows)


def state_without_reply(rows: Rows) -> tuple[str, Tone]:
    row = rows.inbound[0]
    if row.handled_at is None and rows.turn is None:
        return "waiting for more", Tone.BUSY
    return ("heeded", Tone.GOOD) if heard_as(row) else ("not answered", Tone.PLAIN)


def in_order(moments: Iterator[Moment]) -> list[Moment]:
    """By time; a moment whose time is not known stays behind the one it follows."""
    placed: list[tuple[int, Moment]] = []
    last = 0
    for moment in moments:
        last = moment.after if moment.after is not None else last
        placed.append((last, moment))
    return [moment for _, moment in sorted(placed, key=lambda each: each[0])]


def figures_of(rows: Rows) -> Figures:
    began, models = rows.began_at, [row for row in rows.steps if row.kind in {StepKind.MODEL, StepKind.HEAR}]
    costs = [row.cost_micros for row in models]
    delivered = [
        report.received_at
        for row in rows.outbound
        for report in rows.reports.get(row.id, [])
        if from_twilio(report.status) is Status.DELIVERED
    ]
    return Figures(
        answered_after=since(began, rows.outbound[0].created_at) if rows.inbound and rows.outbound else None,
        delivered_after=since(began, max(delivered)) if delivered else None,
        segments=sum(row.segments or 0 for row in rows.outbound),
        encodings=tuple(dict.fromkeys(row.encoding for row in rows.outbound if row.encoding)),
        characters=sum(len(row.body) for row in rows.outbound),
        models=tuple(dict.fromkeys(row.model or row.name for row in models)),
        input_tokens=sum(row.input_tokens or 0 for row in models),
        output_tokens=sum(row.output_tokens or 0 for row in models),
        model_cost_micros=None if None in costs else sum(costs),
        **sms_costs(rows),
    )


def sms_costs(rows: Rows) -> dict[str, Any]:
    """What the texts cost, in dollars; a price in another currency is as unknown here as one that nobody knows."""
    charged = [charge for row in [*rows.inbound, *rows.outbound] for charge in rows.charges.get(row.id, [])]
    costs = [cost_of(charge) for charge in charged]
    return {
        "is_billed": bool(charged),
        "is_estimate": any(charge.price_micros is None for charge in charged),
        "sms_cost_micros": None if None in costs else sum(cost for cost in costs if cost is not None),
    }


def cost_of(charge: AnyRow) -> int | None:
    """Twilio's price where it is known, else the estimate, in millionths of a dollar."""
    is_priced = charge.price_micros is not None
    if (charge.currency if is_priced else charge.estimate_currency) != USD:
        return None
    found: int | None = charge.price_micros if is_priced else charge.estimate_micros
    return found


def said(row: AnyRow, rows: Rows) -> Said:
    known: Sequence[Any] = [{"url": m.url, "content_type": m.content_type} for m in rows.media.get(row.id, [])]
    return Said(
        id=row.id,
        sid=row.sid,
        is_inbound=row.is_inbound,
        body=row.body,
        pictures=tuple(
            Picture(url=each.get("url", ""), content_type=each.get("content_type", ""))
            for each in known or row.media or []
        ),
        status=row.status,
        at=millis(row.created_at),
    )
