"""What a run is to be like. Everything that is drawn is drawn from its seed."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much, how fast, and what goes wrong."""

    seed: int
    conversations: int  # at least; new ones begin until there were so many and all kills are done
    kills: int  # at least; they go on until all conversations have begun
    at_once: int = 200  # conversations in flight
    gap: int = 100  # at most so many texts, model answers and requests between two kills; some moments come at once
    pause: float = 5.0  # seconds between two kills at most, when nothing happens at all
    second_texts: float = 0.25  # the share of people who write again before they are answered
    stops: float = 0.04  # the share of people who opt out in the middle
    has_faults: bool = False  # Twilio and the model fail too
    troubles: float = 0.0  # the share of moments at which the database fails, rather than a process
    patience: float = 120.0  # seconds until somebody who waits for an answer puts the phone away
