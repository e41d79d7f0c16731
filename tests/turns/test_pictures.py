"""What the model is shown of what people send along, and what it is told of the rest."""

import pytest
from tests.support.cast import a_line
from tests.support.road import FixedModel, Road, says

from replyline.conversations import pictures
from replyline.conversations.media_store import FolderStore, in_chunks
from replyline.conversations.text import Picture
from replyline.db.tables import media
from replyline.llm.messages import as_messages
from replyline.turns.known import LARGEST_PICTURE, MOST_BYTES, MOST_PICTURES

UNSEEN = "[something was attached that you cannot see]"


@pytest.fixture
def road(db, clock, tmp_path):
    return Road(db=db, clock=clock, line=a_line(), model=FixedModel([says("Thanks!")]), media_dir=tmp_path)


async def send(road, body, *attached):
    """Ana sends these, each a content type and a size, or none when it cannot be fetched."""
    before = {row.id for row in road.rows(media)}
    urls = tuple(Picture(url=f"https://api.twilio.com/{n}", content_type="image/png") for n in range(len(attached)))
    await road.text(body, pictures=urls)
    new = sorted((row for row in road.rows(media) if row.id not in before), key=lambda row: row.position)
    for row, (content_type, size) in zip(new, attached, strict=True):
        each = pictures.as_attachment(row)
        if size is None:
            await road.db.run(pictures.lose, each, why="404")
            continue
        await FolderStore(road.media_dir).put(each.id, in_chunks(b"x" * size))
        kept = {"path": each.id, "size": size, "content_type": content_type, "twilio_copy": None}
        await road.db.run(lambda conn, each=each, kept=kept: pictures.keep(conn, each, **kept))


def shown(road):
    return road.model.seen[0].turns[-1]


async def test_a_picture_is_shown(road):
    await send(road, "", ("image/jpeg", 10))
    await road.work()
    assert [(each.media_type, len(each.content)) for each in shown(road).pictures] == [("image/jpeg", 10)]
    assert shown(road).unseen == 0


@pytest.mark.parametrize(
    "attached", [("image/heic", 10), ("video/mp4", 10), ("image/jpeg", LARGEST_PICTURE + 1), ("image/jpeg", None)]
)
async def test_the_model_is_told_of_what_it_cannot_be_shown(road, attached):
    await send(road, "", attached)
    await road.work()
    assert (shown(road).pictures, shown(road).unseen) == ((), 1)
    [request] = as_messages([shown(road)], sees_pictures=True)
    assert request.parts[0].content == UNSEEN
    assert road.replies() == ["Thanks!"]


async def test_a_picture_that_is_still_on_its_way_after_a_while_is_told_of_too(road):
    await road.text("", pictures=(Picture(url="https://api.twilio.com/1", content_type="image/png"),))
    await road.work(seconds=21)
    assert shown(road).unseen == 1


async def test_of_very_many_pictures_the_model_is_shown_some(road):
    for _ in range(3):
        await send(road, "", *[("image/jpeg", 10)] * 7)
    await road.work()
    assert (len(shown(road).pictures), shown(road).unseen) == (MOST_PICTURES, 21 - MOST_PICTURES)


async def test_of_very_large_pictures_the_model_is_shown_some(road):
    await send(road, "", *[("image/jpeg", LARGEST_PICTURE)] * 6)
    await road.work()
    assert (len(shown(road).pictures), shown(road).unseen) == (4, 2)
    assert sum(len(each.content) for each in shown(road).pictures) <= MOST_BYTES
