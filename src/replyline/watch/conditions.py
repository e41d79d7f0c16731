"""Whether all is well, from facts alone: each condition looks at one thing and says so in a sentence."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

from replyline.alerts.level import Level
from replyline.costs.allowance import THRESHOLDS
from replyline.twilio.errors import Action, ErrorMeaning, meaning_of
from replyline.watch.facts import Facts
from replyline.watch.words import many, span

# Under this part of the texts that ended, delivery is wrong; and it is well again only a little above that.
FEWEST, WELL, WELL_AGAIN, BAD = 50, 0.95, 0.96, 0.80
OPTED_OUT = 21610
SPIKE, TIMES = 10, 3
# A doubt is settled within a minute when Twilio's list can be read (`reconcile.CERTAIN_AFTER`).
LONG_IN_DOUBT = timedelta(minutes=10)
MANY_IN_DOUBT = 5
UNREAD = timedelta(minutes=10)  # Twilio's list is read every two minutes
TRIES = 3
FORGED = 5  # requests with a wrong signature; a stranger may send some
FEW = 3


# What only a person can mend. Filtered words and a sender's limits are news from the third time on: one may be an accident.
AT_ONCE = {Action.ALERT_OPERATOR}
WHEN_REPEATED = {
    Action.PAUSE_UNTIL_RESET,
    Action.FIX_SENDER,
    Action.FIX_CONTENT,
    Action.FIX_REQUEST,
    Action.FIX_WEBHOOK,
    Action.FIX_TWIML,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One thing that was looked at. Its sentence holds no phone number, body or secret."""

    key: str
    level: Level
    says: str = ""


def conditions(facts: Facts, going_on: Collection[str] = ()) -> list[Condition]:
    """Everything that is not well, and what went on before and is well now."""
    found = [
        *delivery(facts, "delivery" in going_on),
        *errors(facts),
        *opt_outs(facts),
        *webhooks(facts),
        *callbacks(facts),
        *doubt(facts),
        *model(facts),
        *queue(facts),
        *twilio(facts),
        *budgets(facts),
    ]
    bad = {each.key for each in found}
    return found + [Condition(key=key, level=Level.OK) for key in sorted(set(going_on) - bad)]


def budgets(facts: Facts) -> Iterator[Condition]:
    """Each threshold of a period once: it is over when the period is."""
    for used in facts.budgets:
        of = {"line": "the line", "model": "the model"}.get(
            used.scope, used.scope.replace("campaign:", "the campaign ")
        )
        period = "" if used.period == "all" else f" for {used.period}"
        for percent in (each for each in THRESHOLDS if each <= used.percent):
            says = f"{percent} % of the budget of {of}{period} are used; it is at ${used.micros / 1_000_000:,.2f} now."
            level = Level.WRONG if percent == THRESHOLDS[-1] else Level.LOOK
            yield Condition(key=f"budget {used.scope} {used.period} {percent}%", level=level, says=says)


def delivery(facts: Facts, goes_on: bool) -> Iterator[Condition]:
    ended = facts.delivered + facts.undelivered + facts.failed
    if ended < FEWEST or facts.delivered / ended >= (WELL_AGAIN if goes_on else WELL):
        return
    rate = facts.delivered / ended
    says = f"{rate:.1%} of the {ended} texts that ended within an hour were delivered; 95% and more is usual."
    yield Condition(key="delivery", level=Level.WRONG if rate < BAD else Level.LOOK, says=says)


def errors(facts: Facts) -> Iterator[Condition]:
    """Codes that somebody has to do something about."""
    for code in sorted({*facts.errors, *facts.held} - {OPTED_OUT}):
        meaning = meaning_of(code, message_status="failed")
        ended, held = facts.errors.get(code, 0), facts.held.get(code, 0)
        if meaning.action in AT_ONCE:
            yield Condition(key=f"error {code}", level=Level.WRONG, says=sentence(meaning, ended, held))
        elif meaning.action in WHEN_REPEATED and ended + held >= FEW:
            yield Condition(key=f"error {code}", level=Level.LOOK, says=sentence(meaning, ended, held))


def sentence(meaning: ErrorMeaning, ended: int, held: int) -> str:
    counts = [f"ended {many(ended, 'text')} within an hour" if ended else "", f"holds back {held}" if held else ""]
    to_do = meaning.action.value.replace("_", " ")
    what = " and ".join(filter(None, counts))
    return f"Twilio's error {meaning.code} ({meaning.name}) {what}: {meaning.meaning.rstrip('.')}. To do: {to_do}."


def opt_outs(facts: Facts) -> Iterator[Condition]:
    count = facts.errors.get(OPTED_OUT, 0)
    if count >= SPIKE and count >= TIMES * facts.opted_out_before:
        says = (
            f"{many(count, 'text')} within an hour went to people who had opted out with Twilio (21610), against "
            f"{facts.opted_out_before:.1f} an hour the day before. Was a list imported that should not have been?"
        )
        yield Condition(key="opt-outs", level=Level.LOOK, says=says)


def webhooks(facts: Facts) -> Iterator[Condition]:
    said = [
        f"{many(facts.texts_not_stored, 'text')} that came in" if facts.texts_not_stored else "",
        many(facts.reports_not_stored, "delivery report") if facts.reports_not_stored else "",
    ]
    if any(said):
        says = (
            f"Within ten minutes the database would not store {' and '.join(filter(None, said))}; Twilio tries again."
        )
        yield Condition(key="webhooks", level=Level.WRONG if facts.texts_not_stored else Level.LOOK, says=says)
    if facts.wrongly_signed >= FORGED:
        says = (
            f"{facts.wrongly_signed} requests within ten minutes had a signature that does not fit. If they are Twilio's, people "
            "get no answers: compare REPLYLINE_PUBLIC_URL and the auth token with what Twilio has."
        )
        yield Condition(key="signatures", level=Level.LOOK, says=says)
    if facts.texts_found:
        says = (
            f"No webhook brought {many(facts.texts_found, 'text')} that came in; found in Twilio's list within an hour. "
            "Why were we away?"
        )
        yield Condition(key="texts found late", level=Level.LOOK, says=says)


def callbacks(facts: Facts) -> Iterator[Condition]:
    if facts.ends_found >= FEW and facts.ends_found > facts.callbacks:
        says = (
            f"Of {facts.ends_found} texts within an hour Twilio's list told how they ended, and no callback did "
            f"({facts.callbacks} came). Can Twilio reach REPLYLINE_PUBLIC_URL?"
        )
        yield Condition(key="status callbacks", level=Level.LOOK, says=says)


def doubt(facts: Facts) -> Iterator[Condition]:
    is_old = facts.oldest_unknown > LONG_IN_DOUBT
    is_growing = facts.unknown >= MANY_IN_DOUBT and facts.unknown >= 2 * facts.unknown_before
    if facts.unknown and (is_old or is_growing):
        says = (
            f"{many(facts.unknown, 'text')} UNKNOWN, {facts.unknown_before} ten minutes ago, the oldest for "
            f"{span(facts.oldest_unknown)}; nothing is sent again until Twilio's list says."
        )
        yield Condition(key="doubt", level=Level.WRONG if is_old else Level.LOOK, says=says)
    if facts.given_up:
        says = (
            f"{many(facts.given_up, 'text')} given up within an hour: in doubt for ten hours, and not sent again. Look in "
            "Twilio's console whether it left."
        )
        yield Condition(key="doubt given up", level=Level.WRONG, says=says)


def model(facts: Facts) -> Iterator[Condition]:
    refused = facts.turns_failed.get("model_refused", 0)
    troubled = sum(facts.turns_failed.get(outcome, 0) for outcome in ("trouble", "deadline"))
    if refused:
        says = (
            f"The model's provider refused {many(refused, 'turn')} within half an hour, and people got the fallback text: "
            "key, credit, or a model that does not exist."
        )
        yield Condition(key="model", level=Level.WRONG, says=says)
    elif troubled or facts.turns_tried_again >= FEW:
        says = (
            "The model or the database is away or slow: within half an hour "
            f"{many(troubled, 'turn')} ended with the fallback text, and {many(facts.turns_tried_again, 'turn')} will be "
            "tried again."
        )
        yield Condition(key="model", level=Level.WRONG if troubled >= FEW else Level.LOOK, says=says)


def queue(facts: Facts) -> Iterator[Condition]:
    for each in facts.due:
        if each.is_long and each.kind != "alert":  # an alert that nobody tells cannot be told of
            says = f"{each.count} of kind {each.kind} due, the oldest for {span(each.wait)}. Are there enough workers?"
            yield Condition(key=f"work {each.kind}", level=Level.WRONG, says=says)


def twilio(facts: Facts) -> Iterator[Condition]:
    if facts.twilio_unread > UNREAD and facts.twilio_tries >= TRIES:
        says = (
            f"Twilio's REST API has not answered as it should for {span(facts.twilio_unread)}, {facts.twilio_tries} tries "
            "of reading its list in a row. Ask `replyline doctor` why."
        )
        yield Condition(key="twilio", level=Level.WRONG, says=says)
