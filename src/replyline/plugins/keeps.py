"""How long a line keeps what, as its author declares it."""

from dataclasses import dataclass, fields

# What is younger may still be spoken of, reported on or asked about.
SOONEST = 7
# compliance.md §7: limitations of four years and a margin, 16 CFR 310.5; and Virginia's ten years for opt-outs by text.
PROOF = 1_827
OPT_OUTS = 3_653

LEAST = {"consent_proof": (PROOF, "5 years, after the consent has ended"), "opt_outs": (OPT_OUTS, "10 years")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeps:
    """For how many days a line keeps what; none: until somebody erases it.

    Keeps(words=365, pictures=90, answers=30)
    """

    words: int | None = None  # what was written, by people and to them
    pictures: int | None = None  # what was sent along, with the files
    answers: int | None = None  # how answers were worked out: what the model and actions were told, and said
    decisions: int | None = None  # what the gate said of each text, with its facts
    reports: int | None = None  # the fields of delivery reports; how far each text came stays
    consent_proof: int | None = None  # who agreed to what and how, once that has ended; the ledger's chain still holds
    opt_outs: int | None = None  # whose opt-out it is; it still counts afterwards, known by a keyed hash alone

    def __bool__(self) -> bool:
        """Whether anything ever goes by itself."""
        return any(getattr(self, each.name) is not None for each in fields(self))

    @property
    def forgets_people(self) -> bool:
        """Whether it takes the secret that keys the hashes of people."""
        return self.consent_proof is not None or self.opt_outs is not None

    def complaint(self) -> str | None:
        """What is wrong with it, in a sentence; none when nothing is."""
        for each in fields(self):
            days = getattr(self, each.name)
            least, words = LEAST.get(each.name, (SOONEST, "a week"))
            if days is not None and days < least:
                return f"Keeps({each.name}={days}) is too short: at least {least} days, which is {words}."
        return None
