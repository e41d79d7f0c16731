"""A trail in words: from the rows of an exchange to the moments people read."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from replyline.conversations.delivery import Status, from_twilio
from replyline.costs.prices import USD
from replyline.db.columns import AnyRow
from replyline.outbound import queue
from replyline.rules.explain import in_words
from replyline.rules.facts import Purpose
from replyline.simulator.trail_records import Moment, Rows, Tone, since
from replyline.turns import schedule
from replyline.turns.states import StepKind, StepState, TurnState
from replyline.twilio.errors import meaning_of

NEVER_SENT = {
    Status.REFUSED: "Refused",
    Status.CANCELED: "Canceled",
    Status.EXPIRED: "Expired",
    Status.FAILED: "Failed",
}
SCRIPTED = "scripted"
HEARD = {
    "stop": "They get no more texts; what was queued is canceled.",
    "start": "Replies may go out again. It is not consent to marketing.",
    "help": "Help is owed to everyone, also to people who have opted out.",
}
QUEUED = {
    Purpose.OPT_OUT_CONFIRMATION: "Confirmation queued",
    Purpose.HELP_REPLY: "Answer queued",
    Purpose.OPT_IN: "Opt-in text queued",
    Purpose.CONVERSATIONAL_REPLY: "Reply queued",
}


def moments_of(rows: Rows) -> Iterator[Moment]:
    began = rows.began_at
    for row in rows.inbound:
        yield from arrival(row, rows, began)
    yield from waiting(rows, began)
    if rows.turn is not None:
        yield turn_began(rows, rows.turn, began)
        for step in rows.steps:
            yield step_of(step, began, is_last=step is rows.steps[-1])
        yield from turn_ended(rows, rows.turn, began)
    for row in rows.outbound:
        yield from departure(row, rows, began)


def arrival(row: AnyRow, rows: Rows, began: datetime) -> Iterator[Moment]:
    """The webhook, and what was made of the text."""
    after = since(began, row.created_at)
    keyword = heard_as(row)
    which = f"“{shortened(row.body)}”: signature" if len(rows.inbound) > 1 and row.body else "Signature"
    note = f"{which} checked, stored."
    yield Moment(kind="webhook", title="Webhook", note=note, after=after, sid=row.sid, tone=Tone.GOOD)
    for attached in rows.media.get(row.id, []):
        yield picture_moment(attached)
    if keyword:
        answered = "" if rows.outbound else " Any answer comes from Twilio itself."
        yield Moment(
            kind="keyword",
            title=f"Heard as {keyword.upper()}",
            note=f"{HEARD.get(keyword, '')}{answered} No model is asked.".strip(),
            after=after,
            tone=Tone.GOOD,
        )
    elif row.handled_at is not None and row.turn_id is None:
        yield Moment(kind="quiet", title="Not answered", note=sentence(row.why), after=after)


def picture_moment(row: AnyRow) -> Moment:
    title, tone = {"kept": ("Picture fetched", Tone.GOOD), "lost": ("Picture lost", Tone.BAD)}.get(
        row.state, ("Fetching the picture", Tone.BUSY)
    )
    size = f", {max(row.size // 1024, 1)} kB" if row.size else ""
    return Moment(kind="picture", title=title, note=sentence(row.why or f"{row.content_type}{size}"), tone=tone)


def waiting(rows: Rows, began: datetime) -> Iterator[Moment]:
    """The texts that no turn has taken up yet, and when one will."""
    row = rows.inbound[-1] if rows.inbound else None
    if row is None or rows.turn is not None or row.handled_at is not None:
        return
    job = rows.work.get((schedule.KIND, row.conversation_id))
    note = "No turn is due." if job is None else f"A turn answers at {span(since(began, job.due))} unless more comes."
    yield Moment(kind="wait", title="Waiting in case more comes", note=note, tone=Tone.BUSY)


def turn_began(rows: Rows, turn: AnyRow, began: datetime) -> Moment:
    before = [row.created_at for row in rows.inbound if row.created_at <= turn.created_at]
    notes = [f"{span(since(max(before), turn.created_at))} after the last text" if before else "on its own"]
    if len(before) > 1:
        notes.append(f"one turn for {len(before)} texts")
    if turn.runs > 1:
        notes.append(f"run {turn.runs}: taken up again where it stopped")
    return Moment(kind="turn", title="Turn began", note=sentence("; ".join(notes)), after=since(began, turn.created_at))


def step_of(row: AnyRow, began: datetime, *, is_last: bool) -> Moment:
    after = since(began, row.ended_at or row.started_at)
    took = since(row.started_at, row.ended_at) if row.ended_at else None
    match StepKind(row.kind):
        case StepKind.MODEL:
            return Moment(kind="model", after=after, took=took, **model_words(row, is_last=is_last))
        case StepKind.ACTION:
            return Moment(kind="action", after=after, took=took, **action_words(row))
        case StepKind.HEAR:
            asks = {
                "stop": "They want no more texts.",
                "unsure": "They may want no more: nothing is advertised to them.",
            }
            note = asks.get(row.output or "", "It is no opt-out.")
            return Moment(kind="check", title="The model heard the text", note=note, after=after, took=took)
        case StepKind.CHECK:
            return Moment(
                kind="check", title="Sent back to the model", note=row.output or "", after=after, tone=Tone.HELD
            )
        case StepKind.TEXTS:
            joined = len(json.loads(row.output or "[]"))
            title = "Another text joined the turn" if joined == 1 else f"{joined} more texts joined the turn"
            return Moment(kind="joined", title=title, note="They are answered together, once.", after=after)


def model_words(row: AnyRow, *, is_last: bool) -> dict[str, Any]:
    draft = json.loads(row.output or "{}")
    wanted = [call["name"] for call in draft.get("calls", ())]
    notes = [row.model or row.name, cost_said(row)]
    if row.input_tokens or row.output_tokens:
        cached = f" ({row.cached_tokens:,} cached)" if row.cached_tokens else ""
        notes.insert(1, f"{row.input_tokens or 0:,} tokens in{cached}, {row.output_tokens or 0:,} out")
    return {
        "title": f"Model wants {' and '.join(wanted)}" if wanted else "Model answered",
        "note": " · ".join(notes),
        # What the last answer says is seen where the reply is queued.
        "code": "" if is_last else draft.get("text", ""),
    }


def cost_said(row: AnyRow) -> str:
    if row.cost_micros is None:
        return "price not known"
    return "free" if row.cost_micros == 0 and row.model == SCRIPTED else dollars(row.cost_micros)


def action_words(row: AnyRow) -> dict[str, Any]:
    output = row.output or ""
    tone = Tone.BUSY if row.state == StepState.STARTED else Tone.GOOD
    tone = Tone.HELD if row.state == StepState.PAUSED or output.startswith("error:") else tone
    tone = Tone.BAD if row.error else tone
    notes = []
    if row.state == StepState.PAUSED:
        notes.append(f"A person of the business decides: replyline decide {row.id} yes")
    if row.decided_by:
        answer, _, who = row.decided_by.partition(":")
        notes.append(f"{who} decided: {answer}.")
    if row.error:
        notes.append(row.error.strip().splitlines()[-1])
    return {
        "title": f"Action {row.name}",
        "note": " ".join(notes),
        "code": f"{called(row.name, row.input)}" + (f"\n→ {output}" if output else ""),
        "tone": tone,
    }


def called(name: str, arguments: str | None) -> str:
    """An action's call as Python would write it."""
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return f"{name}({arguments})"
    return f"{name}({', '.join(f'{key}={json.dumps(value, ensure_ascii=False)}' for key, value in given.items())})"


def turn_ended(rows: Rows, turn: AnyRow, began: datetime) -> Iterator[Moment]:
    """How the turn ended, where the reply does not say it."""
    after = since(began, turn.ended_at) if turn.ended_at else None
    if turn.state == TurnState.RUNNING and turn.why:
        job = rows.work.get((schedule.KIND, turn.conversation_id))
        again = f" Again at {span(since(began, job.due))}." if job is not None else ""
        yield Moment(kind="trouble", title="Put off", note=f"{sentence(turn.why)}{again}", tone=Tone.HELD)
    elif turn.state == TurnState.DROPPED:
        yield Moment(kind="dropped", title="Turn dropped", note=sentence(turn.why), after=after)
    elif turn.state == TurnState.FAILED:
        note = sentence(turn.why or turn.outcome)
        yield Moment(
            kind="failed", title="No answer: the fallback text goes out", note=note, after=after, tone=Tone.BAD
        )
    elif turn.state == TurnState.WAITING:
        yield Moment(kind="paused", title="A person has to decide first", after=after, tone=Tone.HELD)


def departure(row: AnyRow, rows: Rows, began: datetime) -> Iterator[Moment]:
    """One text of ours, from the queue to the phone."""
    status = Status(row.status)
    yield Moment(
        kind="queued",
        title=queued_as(row, rows),
        note=size_of(row) + price_of(row, rows),
        code=row.body,
        after=since(began, row.created_at),
    )
    if row.sending_at is not None:
        attempt = f", attempt {row.attempts}" if row.attempts > 1 else ""
        yield Moment(
            kind="sending",
            title="Judged: it may leave",
            note=f"Handed to Twilio{attempt}.",
            after=since(began, row.sending_at),
            tone=Tone.BUSY if status is Status.SENDING else Tone.PLAIN,
            why=why_of(row, rows, "send"),
        )
    if row.sid:
        at = since(began, row.status_at) if status is Status.SENT else None
        yield Moment(kind="sent", title="Twilio has it", note=row.sid, after=at, sid=row.sid)
    yield from where_it_stands(row, rows, began, status)
    for report in rows.reports.get(row.id, []):
        yield report_moment(report, began)


def where_it_stands(row: AnyRow, rows: Rows, began: datetime, status: Status) -> Iterator[Moment]:
    job = rows.work.get((queue.KIND, row.id))
    due = None if job is None else max(job.due, rows.closed.get(row.our_address, job.due))
    again = f" Next look at {span(since(began, due))}." if due is not None else ""
    after = since(began, row.status_at)
    reported = any(from_twilio(report.status) is status for report in rows.reports.get(row.id, []))
    if status is Status.QUEUED and row.why:
        note, why = f"{sentence(row.why)}{again}", why_of(row, rows, "wait")
        yield Moment(kind="held", title="Held", note=note, after=after, tone=Tone.HELD, why=why)
    elif status is Status.UNKNOWN:
        note = f"{sentence(row.why)} Twilio's list is asked; nothing is sent again before that is known.{again}"
        yield Moment(kind="unknown", title="In doubt: it may have left", note=note, after=after, tone=Tone.HELD)
    elif status in NEVER_SENT and not reported:
        code = f" (Twilio's {row.error_code})" if row.error_code else ""
        tone = Tone.PLAIN if status is Status.CANCELED else Tone.BAD
        yield Moment(
            kind=status.value,
            title=NEVER_SENT[status],
            note=f"{sentence(row.why)}{code}",
            after=after,
            tone=tone,
            why=why_of(row, rows, "refuse", "wait"),
        )


def why_of(row: AnyRow, rows: Rows, *verdicts: str) -> str:
    """What the gate said of a text when it said so last, rule by rule."""
    said = [each for each in rows.decisions.get(row.id, []) if each.verdict in verdicts]
    return "\n".join(in_words(dict(said[-1]._mapping))) if said else ""


def report_moment(row: AnyRow, began: datetime) -> Moment:
    status = from_twilio(row.status)
    is_bad = status in {Status.UNDELIVERED, Status.FAILED}
    code = row.error_code
    return Moment(
        kind="report",
        title=f"Report: {row.status}",
        note=f"{code}: {meaning_of(code, message_status=row.status).name}" if code else "",
        after=since(began, row.received_at),
        sid=row.sid,
        tone=Tone.BAD if is_bad else Tone.GOOD if status is Status.DELIVERED else Tone.PLAIN,
    )


def queued_as(row: AnyRow, rows: Rows) -> str:
    if rows.turn is not None and row.id == rows.turn.holding_text_id:
        return "Holding text queued"
    return QUEUED.get(Purpose(row.purpose), "Text queued") if row.purpose else "Text queued"


def price_of(row: AnyRow, rows: Rows) -> str:
    """What a text that Twilio has taken costs."""
    said = []
    for charge in rows.charges.get(row.id, []):
        micros, currency = charge.price_micros, charge.currency
        about = ""
        if micros is None:
            micros, currency, about = charge.estimate_micros, charge.estimate_currency, "about "
        amount = "price not known" if micros is None else f"{about}{money(micros, currency)}"
        said.append(amount if charge.kind != "failed" else f"fee for failing {amount}")
    return "".join(f" · {each}" for each in said)


def money(micros: int, currency: str) -> str:
    return dollars(micros) if currency == USD else f"{micros / 1_000_000:.6f}".rstrip("0").rstrip(".") + f" {currency}"


def size_of(row: AnyRow) -> str:
    segments = row.segments or 0
    return f"{segments} segment{'' if segments == 1 else 's'} · {row.encoding} · {len(row.body)} characters"


def heard_as(row: AnyRow) -> str | None:
    """The keyword that `receive` heard in a text."""
    why: str = row.why or ""
    return why.removeprefix("heard as ") if row.turn_id is None and why.startswith("heard as ") else None


def span(milliseconds: int) -> str:
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1000:.1f} s"
    hours, minutes = divmod(round(milliseconds / 60_000), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def dollars(micros: int) -> str:
    """Small sums keep their digits: $0.000420."""
    return (
        f"${micros / 1_000_000:,.2f}" if micros >= 1_000_000 else f"${micros / 1_000_000:.6f}".rstrip("0").rstrip(".")
    )


def sentence(words: str | None) -> str:
    words = (words or "").strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?", "…")) or not words else ".")


def shortened(words: str) -> str:
    return words if len(words) <= 32 else f"{words[:30].rstrip()}…"
