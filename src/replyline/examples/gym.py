"""An example gym: what a line looks like. Try it with `replyline dev replyline.examples.gym:line`.

A line is a name, some instructions and your own Python. People text; a language model writes the answers and calls
the functions below when it needs them. Copy this file and make it yours.
"""

from typing import Any

from replyline import ActionContext, Appointments, AskAgain, Budget, ContextRequest, GiveUp, Line, Pause, Service

ADDRESS = "120 Foundry Street, Portland, OR 97209"

line = Line(
    name="Iron Works Gym",
    timezone="America/Los_Angeles",  # all times people write, and all opening hours, are local time there
    # What the model should know and how it should sound. Trusted: the model follows it, so write it with care.
    instructions=f"""
        You answer the texts of Iron Works Gym, {ADDRESS}. Be warm, brief and exact; one or two sentences.
        You book classes and training sessions, and move and cancel them. Tell people to bring water and a towel.
        There is free parking behind the building. Never promise anything you have no action for.
    """,
    # What texts may cost. A fifth of it is kept for replies; `replyline budget show` says what is left.
    budgets=[Budget(5, per="day")],
    # Plugins bring actions of their own. This one books, moves and cancels, and never gives a place away twice.
    plugins=[
        Appointments(
            services=[
                # Classes start at fixed times ...
                Service(name="yoga", minutes=60, capacity=12, price="$15", starts=["07:00", "12:00", "18:00", "19:00"]),
                Service(name="spin", minutes=45, capacity=20, price="$18", starts=["06:30", "17:30", "18:30"]),
                Service(name="boxing", minutes=60, capacity=10, price="$20", starts=["18:00", "19:00"]),
                # ... and training sessions whenever we are open. There are two trainers.
                Service(name="personal training", minutes=60, capacity=2, price="$70"),
            ],
            opening_hours={
                "monday": "06:00-22:00",
                "tuesday": "06:00-22:00",
                "wednesday": "06:00-22:00",
                "thursday": "06:00-22:00",
                "friday": "06:00-22:00",
                "saturday": "08:00-20:00",
                "sunday": "08:00-20:00",
            },
            slot_minutes=30,
        )
    ],
)


# What the model is told of the person, in every turn. Look up here what your own systems know of them.
@line.context
def membership(request: ContextRequest) -> dict[str, Any]:
    return {"address": ADDRESS, "member": request.contact.notes.get("member", "not known")}


# An action is a typed function with a docstring. The model sees its name, docstring and types, and fills in the
# arguments; who is texting comes in `ctx`, never from the model.
@line.action
async def freeze_membership(ctx: ActionContext, months: int) -> str:
    """Put the membership of the person we are texting with on hold for some months. The manager has to agree."""
    if not 1 <= months <= 6:
        raise AskAgain("A membership can be frozen for one to six months.")  # the model may correct itself
    if ctx.decision is None:
        # The turn stops here until a person has decided, in the console or with `replyline decide`.
        raise Pause(f"{ctx.contact.name or 'A member'} asks to freeze their membership for {months} months. Agreed?")
    if not ctx.decision:
        raise GiveUp("The manager did not agree to freeze the membership.")  # the model says so, kindly
    # Here your own system would be told, with `once=ctx.once`: after a crash an action may be called a second time.
    return f"The membership is frozen for {months} months, starting today."
