"""The budgets and counts of one claim: asked of each text that may otherwise leave, and taken from when it does."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from replyline.costs import budgets, hours, ledger
from replyline.costs.allowance import Allowance, Key, at_most, dearest_anywhere, of_a_text
from replyline.costs.budgets import Reservation, alerted
from replyline.costs.prices import PriceList
from replyline.db.columns import AnyRow
from replyline.log import get_log
from replyline.plugins.budgets import Jumps
from replyline.plugins.line import Line
from replyline.rules.budget import OWED, budget
from replyline.rules.facts import Facts, Purpose
from replyline.rules.judge import Decision
from replyline.rules.jumps import WEEK, Busy, floor_of, hour_of, is_jump, keys_of, sudden_jump
from replyline.rules.verdict import Verdict, strictest

log = get_log(__name__)


@dataclass(kw_only=True)
class Purse:
    """What one claim may spend. The rows are held from `hold` until the transaction ends."""

    line: Line
    prices: PriceList
    now: datetime
    allowances: dict[Key, Allowance] = field(default_factory=dict)
    before: dict[Key, Allowance] = field(default_factory=dict)
    busy: dict[str, Busy] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    jumped: set[str] = field(default_factory=set)
    parts: dict[str, list[Key]] = field(default_factory=dict)  # the budgets of each text
    reserved: list[Reservation] = field(default_factory=list)

    def hold(self, conn: Connection, ready: Sequence[tuple[AnyRow, Facts]]) -> None:
        """Lock the budgets of these texts, which may leave as far as all else goes."""
        tried = [row.id for row, _ in ready if row.attempts]
        budgets.follow(conn, tried)  # what a crash left reserved of one that waits again
        wanted = {row.id: self._of(row) for row, _ in ready}
        self.parts = {text_id: [each.key for each in some] for text_id, some in wanted.items()}
        self.allowances = budgets.hold(conn, [each for some in wanted.values() for each in some])
        self.before = dict(self.allowances)
        if self.line.jumps is not None:
            self._count(conn, [key for row, facts in ready for key in keys_of(facts, row.contact_id)])

    def _count(self, conn: Connection, keys: Sequence[str]) -> None:
        assert self.line.jumps is not None
        wanted, hour = Counter(keys), hour_of(self.now)
        found = hours.this_hour(conn, self.line.key, wanted, hour)
        self.busy = {
            key: Busy(key=key, now=found[key].sent, alerted_at=found[key].alerted_at) if key in found else Busy(key=key)
            for key in wanted
        }
        # What is usual is of no interest below the floor, which is where nearly all texts are.
        high = [key for key, each in self.busy.items() if each.now + wanted[key] > floor_of(key, self.line.jumps)]
        for row in hours.week_before(conn, self.line.key, high, hour, hour - WEEK).values():
            told = max(filter(None, (row.alerted_at, self.busy[row.key].alerted_at)), default=None)
            self.busy[row.key] = replace(self.busy[row.key], before=row.before, hours=row.hours, alerted_at=told)

    def judge(self, row: AnyRow, facts: Facts, micros: int | None, decision: Decision) -> Decision:
        """What money and custom say of a text that may cost so much, beside what the rules said."""
        said: list[tuple[str, Verdict]] = []
        if allowances := self._allowances(row):
            verdict = budget(
                facts,
                allowances,
                micros,
                replies_at_limit=self.line.replies_at_limit,
                expires_at=row.expires_at,
                now=self.now,
            )
            said.append(("budget", verdict))
            self._tell(allowances, facts, micros)
        if self.line.jumps is not None:
            said.append(("sudden_jump", self._jump(row, facts, self.line.jumps)))
        verdict = strictest([decision.verdict, *(each for _, each in said)])
        return Decision(verdict=verdict, said=(*decision.said, *said))

    def _jump(self, row: AnyRow, facts: Facts, jumps: Jumps) -> Verdict:
        busy = [self.busy[key] for key in keys_of(facts, row.contact_id)]
        self.jumped |= {each.key for each in busy if is_jump(each, jumps)}
        return strictest(sudden_jump(facts, each, jumps, self.now, row.expires_at) for each in busy)

    def take(self, row: AnyRow, facts: Facts, micros: int | None) -> bool:
        """Take what a text that leaves may cost; whether any budget has to know."""
        for key in keys_of(facts, row.contact_id) if self.line.jumps is not None else ():
            self.counts[key] += 1
            self.busy[key] = replace(self.busy[key], now=self.busy[key].now + 1)
        allowances, cost = self._allowances(row), micros or 0
        if not allowances:
            return False
        for each in allowances:
            self.allowances[each.key] = alerted(replace(each, reserved=each.reserved + cost))
        self.reserved.append(Reservation(text_id=row.id, line=row.line, parts=self.parts[row.id], micros=cost))
        return True

    def save(self, conn: Connection) -> None:
        """Write down what was taken."""
        changed = [each for key, each in self.allowances.items() if each != self.before[key]]
        budgets.save(conn, changed, self.reserved)
        hour = hour_of(self.now)
        hours.count(conn, self.line.key, self.counts, hour)
        for key in sorted(self.jumped):
            each = self.busy[key]
            if each.alerted_at is None or self.now - each.alerted_at >= WEEK / 7:
                log.warning("sudden_jump", line=self.line.key, of=key, texts=each.now, usual=round(each.usual, 1))
                hours.told(conn, self.line.key, key, hour, self.now)

    def _tell(self, allowances: Sequence[Allowance], facts: Facts, micros: int | None) -> None:
        is_reply = facts.purpose is Purpose.CONVERSATIONAL_REPLY
        for each in allowances:
            if micros is not None and facts.purpose not in OWED and micros > each.room(is_reply=is_reply):
                is_used_up = micros > each.room(is_reply=True)
                self.allowances[each.key] = alerted(each, is_used_up=is_used_up)

    def cost(self, row: AnyRow, facts: Facts, segments: int | None) -> int | None:
        """What a text may cost, in micro-dollars; none when nobody knows, or no budget asks."""
        if not self.line.budgets:
            return None
        micros = at_most(ledger.carried(row, at=self.now, segments=segments), self.prices)
        if micros is None and facts.purpose in OWED:
            return dearest_anywhere(self.prices, segments or 1)
        return micros

    def _allowances(self, row: AnyRow) -> list[Allowance]:
        return [self.allowances[key] for key in self.parts[row.id]]

    def _of(self, row: AnyRow) -> list[Allowance]:
        """The budgets that a text takes from, with nothing spent yet."""
        line, campaign = self.line, row.program or ""
        given = {"campaign": campaign, "contact_id": row.contact_id, "now": self.now}
        return list(of_a_text(line.budgets, line.key, line.timezone, **given))
