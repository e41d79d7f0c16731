"""What a line asks people to have agreed to."""

from replyline.plugins.line import Line
from replyline.plugins.programs import Need, Tier, tier_of
from replyline.rules.facts import Purpose
from replyline.rules.tiers import UNASKED


def need_of(line: Line, purpose: Purpose, program: str) -> Need:
    """What the line asks for such a text. A program may ask for more than the line does, and not for less."""
    if purpose not in UNASKED:
        return Need()
    if purpose is Purpose.OPT_IN:  # the question itself: they have left their number for it, and not answered yet
        return Need(tier=Tier.EXPRESS)
    is_marketing = purpose is Purpose.MARKETING
    tier = tier_of(line.marketing_needs if is_marketing else line.notices_need)
    double = is_marketing and line.double_opt_in
    if program:
        known = line.program(program)
        if known is None:  # nobody can have agreed to what does not exist
            return Need(tier=Tier.EXPRESS_WRITTEN, double_opt_in=True)
        if known.needs is not None:
            tier = max(tier, tier_of(known.needs), key=list(Tier).index)
        double = double or known.double_opt_in
    return Need(tier=tier, double_opt_in=double)
