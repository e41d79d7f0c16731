"""A gym that keeps its bookings in memory, and a phone that texts it through the model under test."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from replyline.llm import Answered, Model, Picture, PromptPart, Record, Result, Said, Texts, Tool, ToolCall, ask

ZONE = ZoneInfo("America/Los_Angeles")
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=ZONE)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
HOURS = dict.fromkeys(WEEKDAYS, "06:00-21:00") | {"saturday": "08:00-18:00", "sunday": "closed"}
SERVICES = (
    {"name": "yoga", "minutes": 60, "price": "$15"},
    {"name": "spin", "minutes": 45},
    {"name": "open gym", "minutes": 90, "price": "$8"},
)


def tool(name: str, *arguments: str) -> Tool:
    properties = {argument: {"type": "string"} for argument in arguments}
    schema = {"type": "object", "properties": properties, "required": [*arguments], "additionalProperties": False}
    return Tool(name=name, description=f"To {name.replace('_', ' ')}.", parameters=schema)


TOOLS = (
    tool("schedule_appointment", "service", "starts_at", "notes"),
    tool("update_appointment", "appointment_id", "starts_at"),
    tool("cancel_appointment", "appointment_id"),
    tool("list_appointments"),
    tool("appointment_info", "day", "service"),
)


@dataclass
class Gym:
    """One contact's bookings, and what the actions do to them."""

    now: datetime = MONDAY
    bookings: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    booked: int = 2
    # What appointment_info says of the day.
    free: str = "free on Tuesday 24 November at 7:00 AM (5 of 12 places), 6:00 PM (2 of 12 places)."
    full: set[datetime] = field(default_factory=set)
    record: dict[str, Any] = field(default_factory=dict)  # wins over what the gym would say itself

    def contact_record(self) -> dict[str, Any]:
        booked = [
            {"id": id, "service": service, "starts_at": at.replace(tzinfo=ZONE).isoformat()}
            for id, (service, at) in self.bookings.items()
        ]
        return {
            "now": self.now.isoformat(),
            "timezone": "America/Los_Angeles",
            "business": "Iron Works Gym",
            "name": "Dana Reed",
            "services": SERVICES,
            "opening_hours": HOURS,
            "address": "12 Main St",
            "appointments": booked,
        } | self.record

    def act(self, call: ToolCall) -> str:
        given = json.loads(call.arguments)
        if call.name == "appointment_info":
            return f"{given['service']}: 60 minutes, $15.\n{given['service']}: {self.free}"
        if call.name == "cancel_appointment":
            service, at = self.bookings.pop(given["appointment_id"])
            return f"Canceled: {service} on {told(at)}, id {given['appointment_id']}."
        at = datetime.fromisoformat(given["starts_at"])
        if at in self.full:
            later = at + timedelta(hours=1)
            return f"error: {at:%-I:%M %p} is full on {at:%A %-d %B}. The nearest free times: {told(later)}."
        if call.name == "update_appointment":
            service, _ = self.bookings[given["appointment_id"]]
            self.bookings[given["appointment_id"]] = service, at
            return f"Moved: {service} to {told(at)}, id {given['appointment_id']}."
        self.booked += 1
        id = f"A{self.booked}"
        self.bookings[id] = given["service"], at
        return f"Booked: {given['service']} on {told(at)}, id {id}."


def told(at: datetime) -> str:
    return f"{at:%A %-d %B at %-I:%M %p} ({iso(at)})"


def iso(at: datetime) -> str:
    return at.replace(tzinfo=ZONE).isoformat()


@dataclass
class Phone:
    """Texts the gym and keeps the conversation."""

    model: Model
    gym: Gym = field(default_factory=Gym)
    said: list[Said] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)

    async def text(self, *texts: str, pictures: tuple[Picture, ...] = ()) -> str:
        """What the gym answers to these texts, which arrive together."""
        turns: list[PromptPart] = [*self.said, Record(data=self.gym.contact_record())]
        turns.append(Texts(texts=texts, pictures=pictures))
        for _ in range(6):
            answer = await ask(self.model, instructions="You answer for a gym.", turns=turns, tools=TOOLS)
            if not answer.calls:
                self.said += [Said(by="contact", text=text) for text in texts]
                self.said.append(Said(by="us", text=answer.text))
                return answer.text
            turns.append(Answered(message=answer.message))
            for call in answer.calls:
                self.calls.append(call)
                turns.append(Result(call_id=call.id, name=call.name, output=self.gym.act(call)))
        raise AssertionError("The model never came to an end.")
