"""What people book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from replyline.plugins.appointments.opening_hours import DAYS, BadAppointments, read_clock

# Time is taken in cells of five minutes, whatever the slots are: a line may change its slots and keep its bookings.
CELL_MINUTES = 5


@dataclass(frozen=True, kw_only=True)
class Service:
    """Something people book: a class of twelve, a chair, an hour with the doctor.

    Service(name="yoga", minutes=60, capacity=12, price="$15", starts=["07:00", "18:00"])
    """

    name: str
    minutes: int
    capacity: int = 1  # how many people at the same time
    price: str | None = None  # as people read it
    # What is taken while it lasts. Services that name the same one, such as a chair or a doctor, share its seats.
    resource: str = ""
    # Classes begin at these times; without any, people may begin at every slot of the opening hours.
    # Either times for every open day, or a mapping: {"monday": ["18:00"], "saturday": ["10:00", "11:30"]}.
    starts: Sequence[str] | Mapping[str, Sequence[str]] = ()
    # From `starts`: minutes after midnight by weekday from Monday; none: at every slot.
    weekly_starts: tuple[tuple[int, ...], ...] | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < len(self.name.strip()) <= 100:
            raise BadAppointments(
                "A service needs a name of at most 100 characters, such as Service(name='yoga', ...)."
            )
        if self.minutes <= 0 or self.minutes % CELL_MINUTES:
            raise BadAppointments(
                f"{self.name} takes {self.minutes} minutes; write a multiple of {CELL_MINUTES}, such as minutes=60."
            )
        if self.capacity < 1:
            raise BadAppointments(
                f"{self.name} has a capacity of {self.capacity}; it needs room for at least one person."
            )
        object.__setattr__(self, "name", self.name.strip())
        object.__setattr__(self, "resource", self.resource.strip() or self.name)
        object.__setattr__(self, "weekly_starts", read_starts(self.name, self.starts))


def read_starts(name: str, starts: Sequence[str] | Mapping[str, Sequence[str]]) -> tuple[tuple[int, ...], ...] | None:
    if isinstance(starts, str):
        raise BadAppointments(f"The starts of {name} are {starts!r}; write a list, such as starts=['18:00'].")
    if not starts:
        return None
    if not isinstance(starts, Mapping):
        starts = dict.fromkeys(DAYS, starts)
    unknown = [day for day in starts if day.lower() not in DAYS]
    if unknown:
        raise BadAppointments(f"The starts of {name} have {unknown[0]!r}, which is no day; write monday to sunday.")
    by_day = {day.lower(): sorted({read_clock(text) for text in texts}) for day, texts in starts.items()}
    odd = [minute for day in by_day.values() for minute in day if minute % CELL_MINUTES]
    if odd:
        raise BadAppointments(f"{name} starts at a time that is not a multiple of {CELL_MINUTES} minutes; change it.")
    return tuple(tuple(by_day.get(day, ())) for day in DAYS)
