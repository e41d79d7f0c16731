"""What the simulated phones show, and what Twilio saw of each text: gathered from the simulator as it happens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from replyline.conversations.delivery import Status
from replyline.simulator.changes import Change, Kind
from replyline.simulator.simulated_twilio import SimulatedTwilio
from replyline.simulator.trail_records import Exchange, Moment, Said, millis

FIRST_PHONE = "+12125550123"
# Numbers that belong to nobody: 555-0100 to 555-0199 are kept for stories.
MORE_PHONES = (
    "+13125550142",
    "+13035550117",
    "+15035550164",
    "+16175550188",
    "+12065550131",
    "+17025550156",
    "+14045550109",
    "+19195550172",
    "+15125550125",
    "+16025550147",
    "+12155550193",
    "+13055550136",
    "+16125550174",
    "+14105550158",
    "+18015550121",
    "+15045550167",
    "+19165550145",
)
MOST_PHONES = 1 + len(MORE_PHONES)
WITH_TWILIO, ANSWERED, NOT_ANSWERED = "with Twilio", "answered", "not answered"
SHOWN = {Status.DELIVERED, Status.SENT}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bubble:
    """One text on a phone's screen."""

    id: str
    is_mine: bool
    body: str
    pictures: tuple[str, ...]  # addresses
    at: int  # milliseconds since 1970
    state: str = ""  # of the person's own texts: how far it came
    note: str = ""


@dataclass(kw_only=True)
class Wire:
    """One text as Twilio saw it."""

    at: datetime
    answers: list[tuple[int, datetime]] = field(default_factory=list)  # HTTP statuses of our webhook

    @property
    def state(self) -> str:
        if not self.answers:
            return WITH_TWILIO
        return ANSWERED if any(200 <= status < 300 for status, _ in self.answers) else NOT_ANSWERED


class Handsets:
    """The phones on the desk, in the order they came."""

    def __init__(self, twilio: SimulatedTwilio, began_at: datetime) -> None:
        self._twilio, self._began_at = twilio, began_at
        self._watching: list[Callable[[], None]] = []
        self._sent: dict[str, list[Bubble]] = {}
        self._wires: dict[str, Wire] = {}
        self.add(FIRST_PHONE)
        twilio.on_change(self._note)

    @property
    def numbers(self) -> list[str]:
        return list(self._sent)

    def on_change(self, woken: Callable[[], None]) -> Callable[[], None]:
        """Call `woken` when a phone was added or Twilio did something; what this returns ends it."""
        self._watching.append(woken)
        return lambda: self._watching.remove(woken)

    def add(self, number: str) -> None:
        if number not in self._sent and len(self._sent) <= MOST_PHONES:
            self._sent[number] = []
            self._twilio.phone(number)  # from now on it shows what it gets
            self._tell()

    def add_next(self) -> str | None:
        """One more phone; none when the desk is full."""
        number = next((each for each in MORE_PHONES if each not in self._sent), None)
        if number is None or len(self._sent) >= MOST_PHONES:
            return None
        self.add(number)
        return number

    def screen(self, number: str, exchanges: Sequence[Exchange]) -> list[Bubble]:
        """What the phone shows, the oldest first; what was before this process began is told from the rows."""
        before = [
            earlier(text)
            for exchange in exchanges
            for text in [*exchange.texts, *exchange.replies]
            if text.at < millis(self._began_at) and (text.is_inbound or text.status in SHOWN)
        ]
        sent = [replace(each, state=self._wires[each.id].state) for each in self._sent[number]]
        received = [
            Bubble(
                id=text.sid or f"{number} {n}",
                is_mine=False,
                body=text.body,
                pictures=text.media_urls,
                at=millis(text.at),
                note="" if text.sid else "Twilio's own answer",
            )
            for n, text in enumerate(self._twilio.phone(number).received)
        ]
        return sorted([*before, *sent, *received], key=lambda each: each.at)

    def with_wire(self, exchange: Exchange) -> Exchange:
        """The exchange with what only Twilio's side knows: how fast our webhook answered, and how often it was called."""
        return replace(exchange, moments=tuple(self._seen(each, exchange) for each in exchange.moments))

    def _seen(self, moment: Moment, exchange: Exchange) -> Moment:
        wire = self._wires.get(moment.sid or "")
        if wire is None:
            return moment
        if moment.kind == "webhook" and wire.answers:
            status = wire.answers[-1][0]
            took = millis(wire.answers[0][1]) - millis(wire.at)
            times = "" if len(wire.answers) == 1 else f" Twilio called {len(wire.answers)} times; it counts once."
            return replace(moment, note=f"{moment.note} Answered {status}.{times}", took=took)
        if moment.kind == "sent" and moment.after is None:
            return replace(moment, after=millis(wire.at) - exchange.began_at)
        return moment

    def _note(self, change: Change) -> None:
        phone = change.sender if change.kind is Kind.RECEIVED else change.to
        if change.kind in {Kind.RECEIVED, Kind.STATUS} and phone and phone not in self._twilio.numbers:
            self.add(phone)
        if change.sid is not None:
            self._note_wire(change.sid, change)
        self._tell()

    def _note_wire(self, sid: str, change: Change) -> None:
        wire = self._wires.setdefault(sid, Wire(at=change.at))
        if change.kind is Kind.RECEIVED and change.sender in self._sent:
            self._sent[change.sender].append(self._bubble(sid, change.at))
        elif change.kind is Kind.WEBHOOK:
            wire.answers.append((int(change.status), change.at))

    def _tell(self) -> None:
        for woken in list(self._watching):
            woken()

    def _bubble(self, sid: str, at: datetime) -> Bubble:
        message = self._twilio.message(sid)
        pictures = tuple(f"pictures/{sid}/{n}" for n in range(len(message.media)))
        return Bubble(id=sid, is_mine=True, body=message.body, pictures=pictures, at=millis(at))


def earlier(text: Said) -> Bubble:
    """A text of a process before this one. Its pictures are gone from the simulated Twilio."""
    note = "with a picture" if text.pictures else ""
    return Bubble(id=text.id, is_mine=text.is_inbound, body=text.body, pictures=(), at=text.at, note=note)
