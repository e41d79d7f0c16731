"""What to tell people about an action once it has ended: never better than the action itself says."""

import re
from collections.abc import Callable
from datetime import datetime

from replyline.llm.scripted import wording
from replyline.llm.scripted.steps import Do

FAILED = re.compile(
    r"^\W*(?:error|that did not work|it did not work|it failed|failed|sorry|unfortunately|not |no |there (?:is|are) no"
    r"|cannot|can't|could not|couldn't|unable|we are closed|we're closed|refused)",
    re.IGNORECASE,
)
PREFIX = re.compile(
    r"^\W*(?:error|that did not work|it did not work)\W+(?:this cannot be done; tell the person:\s*)?", re.IGNORECASE
)
# Sentences that are meant for a model, not for the person.
ADVICE = re.compile(r"^(?:it failed|it took too long|ask|offer|tell|suggest|use|call|try|propose|say)\b", re.IGNORECASE)
FREE_TIMES = re.compile(r"\bfree (?:times?|that day)\b|^free\b", re.IGNORECASE)

ISO = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d\b")
IN_ISO = re.compile(r"\s*\(?\b\d{4}-\d\d-\d\dT\d\d:\d\d[^\s),;]*\)?")
ID = re.compile(r",? \(?\bid:? \w+\)?")
CLOCK = re.compile(r"\b(\d{1,2})(?::(\d\d))? ?([AP])M\b", re.IGNORECASE)
DAY = re.compile(r"\b(\w{3})\w*day (\d{1,2}) (\w{3})\w*\b")
PLACES = re.compile(r" \(\d+ (?:of \d+ )?(?:places?|spots?)[^)]*\)")


def outcome(step: Do, output: str) -> str:
    """What became of an action, for the person."""
    if FAILED.search(output):
        return refused(step, output)
    if not confirms(output, step.at):
        return relayed(output)
    match step.tool:
        case "schedule_appointment" if step.at:
            return f"You're booked for {step.service} on {wording.say_when(step.at)}. See you then!"
        case "update_appointment" if step.at:
            return f"Done, I moved {step.service} to {wording.say_when(step.at)}. See you then!"
        case "cancel_appointment" if "cancel" in output.lower():
            return f"Done, {step.service} is canceled."
        case _:
            return relayed(output)


def confirms(output: str, at: datetime | None) -> bool:
    """Whether the action names the very moment it was asked for. In doubt its own words are passed on."""
    return at is None or f"{at:%Y-%m-%dT%H:%M}" in output


def refused(step: Do, output: str) -> str:
    """Why not, what would do instead, and the question again."""
    sentences = [each for each in sentences_of(PREFIX.sub("", output)) if not ADVICE.match(each)]
    reasons = [each for each in sentences if not FREE_TIMES.search(each)]
    if not reasons and "somebody" in output:
        return "Sorry, that did not work. Somebody will get back to you."
    reason = relayed(" ".join(reasons)) or "that did not work."
    sorry = reason if reason.startswith("Sorry") else f"Sorry, {reason[0].lower()}{reason[1:]}"
    offers = " ".join(each for each in sentences if FREE_TIMES.search(each))
    free = [datetime.fromisoformat(each) for each in ISO.findall(offers)]
    offered = f" Free: {say_times(free)}." if free else ""
    return f"{sorry}{offered} {step.instead}".strip()


def say_times(times: list[datetime]) -> str:
    """ "Tue Nov 24 at 5:30pm and 7pm, Wed Nov 25 at 6am": each day once."""
    days = dict.fromkeys(each.date() for each in sorted(times))
    at = {day: [wording.say_time(each.time()) for each in sorted(times) if each.date() == day] for day in days}
    return ", ".join(f"{wording.say_day(day)} at {wording.listed(at[day])}" for day in days)


def with_free_times(question: str, step: Do, output: str) -> str:
    """The question for a time, with the times that `appointment_info` gave for that day."""
    assert step.at is not None
    free = next((each for each in sentences_of(output) if re.search(r"\bfree on\b.* at \d", each)), None)
    if free:
        return f"{question} Free: {plainly(free.partition(' at ')[2])}"
    if re.search(r"\bno free times\b", output):
        again = wording.ask_time(step.service, None, None, again=True)
        return f"Sorry, there is nothing free for {step.service} on {wording.say_day(step.at)}. {again}"
    return question


def relayed(output: str, room: int = 110) -> str:
    """What an action said, less what only a model needs, in about so many characters."""
    kept = ""
    for sentence in sentences_of(plainly(output)):
        if kept and len(kept) + len(sentence) >= room:
            break
        kept = f"{kept} {sentence}".strip()
    return kept if len(kept) <= room + 20 else kept[:room].rsplit(" ", 1)[0] + "..."


def sentences_of(text: str) -> list[str]:
    return [each for each in re.split(r"(?<=[.!?])\s+|\n", text.strip()) if each]


def plainly(text: str) -> str:
    """ "Tuesday 24 November at 6:00 PM (2026-...)" as "Tue Nov 24 at 6pm"."""
    changes: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
        (IN_ISO, ""),
        (ID, ""),
        (PLACES, ""),
        (DAY, r"\1 \3 \2"),
        (CLOCK, in_short),
    )
    for pattern, plain in changes:
        text = pattern.sub(plain, text)
    return text


def in_short(said: re.Match[str]) -> str:
    minutes = f":{said[2]}" if said[2] and said[2] != "00" else ""
    return f"{said[1]}{minutes}{said[3].lower()}m"
