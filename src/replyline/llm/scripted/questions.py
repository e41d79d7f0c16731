"""What people ask about the business and about their bookings, answered from the record."""

from replyline.llm.scripted.intents import Intent
from replyline.llm.scripted.record import WEEK, Facts, Service
from replyline.llm.scripted.when import When
from replyline.llm.scripted.wording import listed, say_appointment, say_day, say_opening

ASKED = (Intent.LIST, Intent.HOURS, Intent.PRICE, Intent.LENGTH, Intent.ADDRESS, Intent.SERVICES)


def answers(
    intents: frozenset[Intent], services: tuple[Service, ...], when: When, facts: Facts, *, topic: str | None
) -> list[str]:
    """A sentence or two for each thing asked. "How much is it?" is about the topic."""
    known = services or tuple(each for each in facts.services if each.name == topic)
    found = []
    for intent in ASKED:
        if intent not in intents:
            continue
        match intent:
            case Intent.LIST:
                found.append(booked(services, when, facts))
            case Intent.HOURS:
                found.append(hours(when, facts))
            case Intent.PRICE:
                found.append(prices(known, facts))
            case Intent.LENGTH:
                found.append(lengths(known, facts))
            case Intent.ADDRESS:
                found.append(f"We're at {facts.address}." if facts.address else "I don't have our address here.")
            case _:
                found.append(offered(facts))
    return found


def booked(services: tuple[Service, ...], when: When, facts: Facts) -> str:
    names = {service.name for service in services}
    mine = [each for each in facts.appointments if not names or each.service in names]
    if when.names_day:
        mine = [each for each in mine if each.starts_at.date() == when.day]
    if mine:
        return f"You have {listed([say_appointment(each) for each in mine])}."
    what = f"no {listed([service.name for service in services], 'or')}" if services else "nothing"
    on = f" on {say_day(when.day)}" if when.names_day and when.day else ""
    return f"You have {what} booked{on}."


def hours(when: When, facts: Facts) -> str:
    if facts.opening is None:
        return "I don't have our opening hours here."
    if when.day and when.names_day:
        opening = facts.opening_on(when.day) or ()
        return f"We're {'open ' if opening else ''}{say_opening(opening)} on {say_day(when.day)}."
    return f"We're open {week(facts)}."


def week(facts: Facts) -> str:
    """ "Mon-Fri 6am-9pm, Sat 8am-6pm, Sun closed": days that are alike together."""
    groups: list[tuple[list[str], str]] = []
    for name in WEEK:
        text = say_opening((facts.opening or {}).get(name, ()))
        if groups and groups[-1][1] == text:
            groups[-1][0].append(name)
        else:
            groups.append(([name], text))
    return ", ".join(f"{span(names)} {text}" for names, text in groups)


def span(names: list[str]) -> str:
    short = [name[:3].capitalize() for name in names]
    return short[0] if len(short) == 1 else f"{short[0]}-{short[-1]}"


def prices(services: tuple[Service, ...], facts: Facts) -> str:
    asked = services or facts.services
    known = [f"{service.name} is {service.price}" for service in asked if service.price]
    unknown = [service.name for service in asked if not service.price]
    if not known:
        return f"I don't have the price of {listed(unknown, 'or')} here." if unknown else "I don't have prices here."
    sentence = listed(known)
    about = f" I don't have the price of {listed(unknown, 'or')}." if unknown and services else ""
    return f"{sentence[0].upper()}{sentence[1:]}.{about}"


def lengths(services: tuple[Service, ...], facts: Facts) -> str:
    known = [f"{each.name} takes {each.minutes} minutes" for each in services or facts.services if each.minutes]
    sentence = listed(known)
    return f"{sentence[0].upper()}{sentence[1:]}." if known else "I don't know how long that takes."


def offered(facts: Facts) -> str:
    if not facts.services:
        return "I don't have a list of what we offer here."
    return f"We have {listed([with_details(service) for service in facts.services])}."


def with_details(service: Service) -> str:
    details = [f"{service.minutes} min" if service.minutes else "", service.price or ""]
    known = ", ".join(filter(None, details))
    return f"{service.name} ({known})" if known else service.name
