"""Working out one answer: ask the model, call its actions, check the draft, and have it sent. Once, whatever happens."""

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from replyline.clock import Clock
from replyline.conversations.media_store import MediaStore
from replyline.costs import budgets
from replyline.costs.allowance import MODEL
from replyline.costs.book import PriceBook
from replyline.db import Db
from replyline.llm.ask import Model, ask
from replyline.llm.errors import ModelFiltered, ModelRefused, ModelUnavailable
from replyline.llm.prompt import Tool
from replyline.log import get_log
from replyline.plugins.calling import leave
from replyline.plugins.line import Line
from replyline.turns import new_steps, progress, record
from replyline.turns.begin import Begin, begin
from replyline.turns.draft import body_of, complaint_about
from replyline.turns.hear import Asks, hear, to_hear
from replyline.turns.known import Seen, pictures_of, record_of
from replyline.turns.progress import Act, Ask, AskPerson, Exhausted, Reply
from replyline.turns.run_action import run_action
from replyline.turns.states import Begun, Input, Step, TurnState
from replyline.turns.transcript import instructions_of, parts_of
from replyline.work import Claimed, LostLease
from replyline.work.worker import backoff

log = get_log(__name__)


MOST_RUNS = 5  # a turn that took the process down this often is answered with the fallback text
AFTER_A_CRASH = timedelta(seconds=5)


class Ended(Exception):
    """The turn is over, and nothing more is to be done in it."""


class TakeTurn:
    """Does the work rows of kind `turn`: one conversation's next answer."""

    def __init__(
        self,
        *,
        db: Db,
        clock: Clock,
        line: Line,
        model: Model,
        store: MediaStore,
        secret: bytes,
        sees_pictures: bool = True,
        hears: bool = False,
        prices: PriceBook | None = None,
    ) -> None:
        self._hears = hears and line.hears_with_model
        self._prices = prices or PriceBook()
        self._db, self._clock, self._line, self._model = db, clock, line, model
        self._store, self._secret, self._sees_pictures = store, secret, sees_pictures
        self._has_model_budget = any(each.of == MODEL for each in line.budgets)
        self._instructions = instructions_of(line)
        self._tools = tuple(
            Tool(name=action.name, description=action.description, parameters=action.parameters)
            for action in line.actions.values()
        )

    async def __call__(self, job: Claimed) -> None:
        """Answer the conversation, within the line's deadline."""
        turn = await self._db.gather(begin, Begin(job=job, line=self._line, now=self._clock.now()))
        if isinstance(turn, LostLease):
            raise turn
        if turn is None:
            return
        working = asyncio.ensure_future(self._see_through(job, turn))
        try:
            if (holding_time := self._holding_time(turn)) is not None:
                await self._until(holding_time, working)
                if not working.done():
                    await self._db.run(record.hold, job, turn, self._line, self._clock.now())
            await self._until(turn.deadline_at, working)
            await stop(working)
            if working.done() and not working.cancelled():
                working.result()  # it ended before the deadline, one way or another
            else:
                log.error("turn_too_slow", turn=turn.id, seconds=self._line.deadline)
                await self._fall_back(job, turn, "deadline", f"No answer within {self._line.deadline:g} s.")
        except Ended:
            return
        finally:
            await stop(working)

    async def _see_through(self, job: Claimed, turn: Begun) -> None:
        """Answer, or put the turn off, or give the person the fallback text: never nothing, never two of them."""
        try:
            if turn.runs > MOST_RUNS:
                await self._fall_back(job, turn, "crashed", "The process died in this turn again and again.")
            await self._answer(job, turn)
        except (LostLease, Ended):
            raise
        except ModelRefused as error:
            log.error("model_refused", turn=turn.id, why=str(error))
            await self._fall_back(job, turn, "model_refused", str(error))
        except ModelFiltered as error:
            await self._fall_back(job, turn, "filtered", str(error))
        except ModelUnavailable as error:
            await self._put_off(job, turn, str(error))
        except Exception as error:  # a bug of ours or of a context function: the person still gets one answer in time
            log.exception("turn_failed", turn=turn.id, attempts=job.attempts)
            await self._put_off(job, turn, type(error).__name__)

    async def _answer(self, job: Claimed, turn: Begun) -> None:
        """Do what the recorded steps leave to be done, until the turn has ended."""
        if turn.record is None:
            turn = replace(turn, record=await record_of(turn, self._line, self._db, self._clock))
        seen: Seen = {}
        while True:
            if self._hears and (unheard := to_hear(turn)):
                turn = await self._hear(job, turn, unheard[0])
                continue
            move = progress.next_move(turn.steps)
            if isinstance(move, Ask):
                seen = await pictures_of(turn, self._db, self._store, seen)
                turn = await self._ask(job, turn, seen)
            elif isinstance(move, Act):
                turn = await self._act(job, turn, move.steps[0])
            elif isinstance(move, Reply):
                turn = await self._reply(job, turn, move)
            elif isinstance(move, AskPerson):
                await self._end(job, turn, self._line.holding_text, TurnState.WAITING, "asked_person")
            else:
                assert isinstance(move, Exhausted)
                await self._fall_back(job, turn, "too_many_rounds", "The model went round in circles.")

    async def _ask(self, job: Claimed, turn: Begun, seen: Seen) -> Begun:
        """Ask the model; end the turn with its answer, or record it with the actions it wants."""
        assert turn.record is not None
        started_at = self._clock.now()
        await self._check_budget(job, turn, started_at)
        answer = await ask(
            self._model,
            instructions=self._instructions,
            turns=parts_of(turn, self._line, turn.record, seen),
            tools=self._tools,
            sees_pictures=self._sees_pictures,
            safety_identifier=self._identifier(turn),
        )
        now = self._clock.now()
        step = new_steps.answered(turn, answer, started_at, now)
        calls = progress.wanted_calls(progress.draft_of(step), self._line.actions)
        added = [step, *new_steps.started(step, calls, now)]
        move = progress.next_move([*turn.steps, *added])
        if isinstance(move, Reply) and self._complaint(move) is None and (body := body_of(move.draft, self._line)):
            # Nothing is left to do but to send it, so the answer and the turn's end share one transaction.
            return await self._end(job, turn, body, TurnState.DONE, "answered", add=added, waits_for_new=True)
        return await self._write(job, turn, add=added)

    async def _hear(self, job: Claimed, turn: Begun, text: Input) -> Begun:
        """Ask whether a text asks to get no more of them. Raises `Ended` when it does."""
        started_at = self._clock.now()
        await self._check_budget(job, turn, started_at)
        asks, usage = await hear(self._model, text.body, self._identifier(turn))
        now = self._clock.now()
        step = new_steps.heard(turn, text.id, asks.value, self._model.name, usage, started_at, now)
        heard = record.Record(job=job, turn=turn, add=[step], prices=self._prices.now, line=self._line, now=now)
        await self._db.run(record.hear, heard)
        log.info("text_heard", text=text.id, asks=asks.value)
        turn = replace(turn, steps=[*turn.steps, step])
        if asks is Asks.STOP:
            await self._end(job, turn, None, TurnState.DROPPED, "dropped", why="they have opted out")
        return turn

    async def _check_budget(self, job: Claimed, turn: Begun, now: datetime) -> None:
        """Fall back where the model's budget is used up. Raises `Ended` then."""
        if self._has_model_budget and (why := await self._db.run(budgets.model_is_used_up, self._line, now)):
            await self._fall_back(job, turn, "model_budget", why)

    async def _act(self, job: Claimed, turn: Begun, step: Step) -> Begun:
        ended = await run_action(step, turn, self._line, self._db, self._clock)
        done = replace(step, state=ended.state, output=ended.output, error=ended.error, ended_at=self._clock.now())
        return await self._write(job, turn, end=[done])

    async def _reply(self, job: Claimed, turn: Begun, move: Reply) -> Begun:
        """Send the draft, or send it back to the model."""
        if complaint := self._complaint(move):
            return await self._write(job, turn, add=[new_steps.check(turn, complaint, self._clock.now())])
        body = body_of(move.draft, self._line)
        if not body:
            await self._fall_back(job, turn, "empty", "The model's answers were empty.")
        return await self._end(job, turn, body, TurnState.DONE, "answered", waits_for_new=True)

    def _complaint(self, move: Reply) -> str | None:
        return complaint_about(move.draft, self._line, sent_back=move.sent_back)

    async def _write(self, job: Claimed, turn: Begun, *, add: Sequence[Step] = (), end: Sequence[Step] = ()) -> Begun:
        """Record steps; gives the turn with them, and with the texts that came meanwhile. Raises `Ended`."""
        happened = record.Record(
            job=job,
            turn=turn,
            line=self._line,
            add=add,
            end=end,
            prices=self._prices.now,
            now=self._clock.now(),
        )
        going = await self._db.gather(record.record_steps, happened)
        turn = grown(turn, add, end)
        return await self._went_on(job, turn, going)

    async def _end(
        self,
        job: Claimed,
        turn: Begun,
        reply: str | None,
        state: TurnState,
        outcome: str,
        *,
        why: str | None = None,
        add: Sequence[Step] = (),
        waits_for_new: bool = False,
    ) -> Begun:
        """End the turn. Raises `Ended`, unless texts that came meanwhile have to be answered with it."""
        ending = record.Ending(
            job=job,
            turn=turn,
            line=self._line,
            add=add,
            reply=reply,
            state=state,
            outcome=outcome,
            why=why,
            waits_for_new=waits_for_new,
            prices=self._prices.now,
            now=self._clock.now(),
        )
        going = await self._db.gather(record.finish_turns, ending)
        if going is None:
            log.info("turn_ended", turn=turn.id, outcome=outcome, steps=len(turn.steps) + len(add))
            raise Ended
        return await self._went_on(job, grown(turn, add), going)

    async def _went_on(self, job: Claimed, turn: Begun, going: record.Going | LostLease) -> Begun:
        if isinstance(going, LostLease):
            raise going
        if going.dropped:
            await self._end(job, turn, None, TurnState.DROPPED, "dropped", why=going.dropped)
        if going.joined_step is None:
            return turn
        return replace(turn, steps=[*turn.steps, going.joined_step], inputs=[*turn.inputs, *going.joined])

    async def _fall_back(self, job: Claimed, turn: Begun, outcome: str, why: str) -> None:
        await self._end(job, turn, self._line.fallback_text, TurnState.FAILED, outcome, why=why)

    async def _put_off(self, job: Claimed, turn: Begun, why: str) -> None:
        """Try again soon, as long as there is time before the deadline."""
        due = self._clock.now() + backoff(job.attempts)
        if due >= turn.deadline_at:
            await self._fall_back(job, turn, "trouble", why)
        log.warning("turn_put_off", turn=turn.id, attempts=job.attempts, why=why)
        await self._db.run(record.put_off, job, turn, due=due, why=why)

    def _holding_time(self, turn: Begun) -> datetime | None:
        if self._line.holding_after is None or turn.has_held:
            return None
        since_start = turn.created_at + timedelta(seconds=self._line.holding_after)
        # A turn that a crash interrupted is late already; "one moment" right before the answer would only annoy.
        return since_start if turn.runs == 1 else max(since_start, self._clock.now() + AFTER_A_CRASH)

    async def _until(self, moment: datetime, working: asyncio.Future[None]) -> None:
        """Wait for the work, at most until a moment of the clock."""
        if working.done():
            return
        sleeping = asyncio.ensure_future(self._clock.sleep(max((moment - self._clock.now()).total_seconds(), 0)))
        try:
            await asyncio.wait({working, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()

    def _identifier(self, turn: Begun) -> str:
        """Stands for the contact at the provider. Keyed, because a bare hash of a phone number can be guessed."""
        return hmac.new(self._secret, f"{self._line.key}|{turn.phone}".encode(), hashlib.sha256).hexdigest()[:32]


def grown(turn: Begun, add: Sequence[Step], end: Sequence[Step] = ()) -> Begun:
    """The turn with what was just recorded."""
    ended = {step.id: step for step in end}
    return replace(turn, steps=[*(ended.get(step.id, step) for step in turn.steps), *add], is_record_kept=True)


async def stop(working: asyncio.Future[None]) -> None:
    """Cancel the work if it goes on, and see it end. What it was just committing stays committed.

    A line's code that will not be cancelled is left behind: without the lease it can write nothing down.
    """
    await leave(working)
