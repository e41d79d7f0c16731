"""There is one way out: read from the code itself, so that a second one cannot be added unseen."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

import replyline

SRC = Path(replyline.__file__).parent
SENDING_CALLS = {"create", "create_async"}
TWILIO_PACKAGE = "twilio"
# What names SENDING and does not compare with it, and yet sets nothing.
ONLY_NAME_IT = {
    "conversations/delivery.py:NEXT",  # the table of moves
    "conversations/delivery.py:MAY_HAVE_LEFT",  # a list to look for
    "simulator/trail_exchange.py:state_of",  # the words of a page
}


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A node of the syntax tree, where it stands, and what it stands in, the innermost first."""

    node: ast.AST
    where: str  # outbound/send.py:Send._send
    around: tuple[ast.AST, ...] = field(repr=False)


@cache
def spots() -> tuple[Spot, ...]:
    """Every node of every module."""
    return tuple(
        spot
        for file in sorted(SRC.rglob("*.py"))
        for spot in spots_in(ast.parse(file.read_text()), file.relative_to(SRC).as_posix())
    )


def spots_in(tree: ast.AST, name: str) -> Iterator[Spot]:
    def walk(node: ast.AST, names: tuple[str, ...], around: tuple[ast.AST, ...]) -> Iterator[Spot]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = (*names, node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not names:
            names = tuple(each.id for each in ast.walk(node) if isinstance(each, ast.Name))[:1]
        yield Spot(node=node, where=f"{name}:{'.'.join(names)}", around=around)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, names, (node, *around))

    return walk(tree, (), ())


def calls_of(name: str, among: tuple[Spot, ...] | None = None) -> list[Spot]:
    """Where something of that name is called."""
    return [each for each in among or spots() if isinstance(each.node, ast.Call) and name_of(each.node.func) == name]


def name_of(called: ast.AST) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def function(where: str) -> ast.AST:
    found = [each.node for each in spots() if each.where == where and isinstance(each.node, ast.FunctionDef)]
    assert len(found) == 1, where
    return found[0]


def test_twilios_client_is_asked_to_send_in_one_place_alone():
    named = {
        (each.where, each.node.attr)
        for each in spots()
        if isinstance(each.node, ast.Attribute) and each.node.attr in SENDING_CALLS
    }
    assert named == {
        ("outbound/send.py:Send._send", "create"),
        ("twilio/client.py:TwilioClient.create", "create_async"),
        ("twilio/client.py:TwilioClient.tell_consents", "create_async"),  # opt-ins and opt-outs, which are no texts
    }


def test_no_method_that_sends_is_reached_by_its_written_name():
    written = {
        each.where for each in spots() if isinstance(each.node, ast.Constant) and each.node.value in SENDING_CALLS
    }
    assert written == set()


def test_nobody_but_the_client_makes_a_client_of_twilios_package_or_posts_a_message():
    importing = {
        each.where
        for each in spots()
        if (isinstance(each.node, ast.ImportFrom) and (each.node.module or "").startswith(f"{TWILIO_PACKAGE}.rest"))
        or (
            isinstance(each.node, ast.Import)
            and any(alias.name.split(".")[0] == TWILIO_PACKAGE for alias in each.node.names)
        )
    }
    assert importing == {"twilio/client.py:"}
    posting = {
        each.where.partition("/")[0]
        for each in spots()
        if isinstance(each.node, ast.Constant) and "Messages.json" in str(each.node.value)
    }
    assert posting <= {"simulator"}  # which answers such requests


def test_only_the_claim_marks_a_text_as_sending():
    marking = {each.where for each in spots() if names_sending(each.node) and not is_compared(each)}
    assert marking - ONLY_NAME_IT == {"outbound/claim.py:Departure._let_go"}
    assert marking >= ONLY_NAME_IT, "a name that is not needed any more"


def names_sending(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "SENDING"


def is_compared(spot: Spot) -> bool:
    """Whether it stands in a comparison, or in a list that a row is looked for in."""
    return any(
        isinstance(each, ast.Compare) or (isinstance(each, ast.Call) and name_of(each.func) == "in_")
        for each in spot.around
    )


def test_the_word_that_marks_it_is_written_in_one_place():
    """A statement of SQL could say `sending` too; this finds the word wherever it is a value of its own or in SQL."""
    written = {
        each.where
        for each in spots()
        if isinstance(each.node, ast.Constant)
        and isinstance(each.node.value, str)
        and (each.node.value == "sending" or "'sending'" in each.node.value)
        and not each.where.startswith("simulator/")
    }
    assert written == {
        "conversations/delivery.py:Status",  # where it is defined
        "conversations/delivery.py:TWILIO_WORDS",  # Twilio's own word, which means SENT to us
        "outbound/claim.py:Departure._move",  # the name of a parameter: when it was begun
        "outbound/claim.py:MOVE",  # the same
        "costs/budgets.py:QUEUED",  # a list of what has not left, to look for
    }


def test_what_may_leave_is_made_in_one_function_that_is_called_in_one():
    assert {each.where for each in calls_of("Leave")} == {"outbound/claim.py:Departure._as_it_leaves"}
    assert {each.where for each in calls_of("_as_it_leaves")} == {"outbound/claim.py:Departure._settle"}
    assert {each.where for each in calls_of("_let_go")} == {"outbound/claim.py:Departure._settle"}
    settling = {each.where for each in calls_of("_settle")}
    assert {where for where in settling if where.startswith("outbound/")} == {"outbound/claim.py:Departure.begin"}


def test_a_text_is_let_go_only_after_the_judge_was_asked_and_neither_refused_nor_held_it():
    """In `_settle`: first a verdict for this very text, then a choice whose last way alone lets it go."""
    body = function("outbound/claim.py:Departure._settle").body
    said = [ast.unparse(each) for each in body]
    judged = said.index("facts, decision = self.judged.get(row.id) or self._judge(row, history)")
    assert "judge(facts, self.now, rules=" in ast.unparse(function("outbound/claim.py:Departure._judge"))
    # What budgets say comes on top: the strictest of it and of the decision before.
    assigned = [
        each.where for each in spots() if each.where.startswith("outbound/claim.py") and sets_decision(each.node)
    ]
    assert [where for where in assigned if "Departure" in where] == ["outbound/claim.py:Departure._settle"] * 2
    assert "strictest([decision.verdict, " in ast.unparse(function("outbound/purse.py:Purse.judge"))
    (let_go,) = [n for n, each in enumerate(body) if calls_of("_let_go", tuple(spots_in(each, "")))]
    assert judged < let_go
    choice, asked = body[let_go], []
    assert any(ast.unparse(each) == "verdict = decision.verdict" for each in body[judged:let_go])
    while isinstance(choice, ast.If):
        assert not any(calls_of("_let_go", tuple(spots_in(each, ""))) for each in choice.body)
        asked.append(ast.unparse(choice.test))
        last, choice = choice.orelse, choice.orelse[0]
    assert asked[1:] == ["isinstance(verdict, Refuse)", "isinstance(verdict, Wait)"]
    assert [ast.unparse(each) for each in last] == [
        "assert leave is not None",
        "self._let_go(job, leave, facts, history, decision)",
    ]


def sets_decision(node: ast.AST) -> bool:
    targets = [each for target in getattr(node, "targets", []) for each in ast.walk(target)]
    return any(isinstance(each, ast.Name) and each.id == "decision" for each in targets)


def test_people_are_held_before_their_facts_are_read_and_all_that_in_the_claims_transaction():
    body = function("outbound/claim.py:Departure.begin")
    order = [name_of(each.func) for each in ast.walk(body) if isinstance(each, ast.Call)]
    lines = {name_of(each.func): each.lineno for each in ast.walk(body) if isinstance(each, ast.Call)}
    steps = ["lock_people", "texts_to_judge", "history_of", "_settle", "_write"]
    assert sorted(steps, key=lines.__getitem__) == steps
    assert not {"commit", "run", "run_blocking", "gather", "begin"} & set(order)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("await twilio.create(it)", "create"),
        ("client.messages.create_async(to=to)", "create_async"),
    ],
)
def test_what_is_looked_for_is_found_where_it_stands(code, what):
    found = [
        each.node.attr
        for each in spots_in(ast.parse(f"async def f(): {code}"), "x.py")
        if isinstance(each.node, ast.Attribute) and each.node.attr in SENDING_CALLS
    ]
    assert found == [what]
