"""Booking, moving, cancelling and asking, as the model calls them."""

import pytest

from replyline.plugins.appointments import Service
from replyline.plugins.endings import AskAgain, GiveUp
from tests.plugins.appointments.conftest import EVERY_DAY


async def test_a_booking_says_when_it_is_and_how_to_name_it(gym):
    answer = await gym.book("ana", "2026-11-24T18:00:00", "Yoga")
    assert answer == "Booked: yoga on Tuesday 24 November at 6:00 PM (2026-11-24T18:00:00-08:00), id A1."


async def test_the_record_shows_what_a_person_has_booked(gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    await gym.book("bruno", "2026-11-25T18:00:00")
    record = await gym.record("ana")
    assert record["appointments"] == [{"id": "A1", "service": "yoga", "starts_at": "2026-11-24T18:00:00-08:00"}]
    assert record["services"][0] == {"name": "yoga", "minutes": 60, "price": "$15"}
    assert record["services"][2] == {"name": "shave", "minutes": 20}
    assert record["opening_hours"]["sunday"] == "closed"


async def test_the_record_shows_ten_at_most_and_none_that_is_over(gym):
    for day in range(24, 29):
        await gym.book("ana", f"2026-11-{day}T07:00:00")
        await gym.book("ana", f"2026-11-{day}T18:00:00")
        await gym.book("ana", f"2026-11-{day}T19:00:00")
    assert len(await gym.times_of("ana")) == 10
    gym.clock.set("2026-11-28 18:30 America/Los_Angeles")
    assert await gym.times_of("ana") == ["2026-11-28T18:00:00-08:00", "2026-11-28T19:00:00-08:00"]


async def test_a_full_class_offers_the_nearest_three(gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    await gym.book("bruno", "2026-11-24T18:00:00")
    with pytest.raises(AskAgain) as refused:
        await gym.book("cleo", "2026-11-24T18:00:00")
    assert str(refused.value) == (
        "yoga is full on Tuesday 24 November at 6:00 PM (2026-11-24T18:00:00-08:00). The nearest free times: "
        "Tuesday 24 November at 7:00 AM (2026-11-24T07:00:00-08:00), "
        "Tuesday 24 November at 7:00 PM (2026-11-24T19:00:00-08:00) or "
        "Wednesday 25 November at 7:00 AM (2026-11-25T07:00:00-08:00)."
    )


async def test_a_time_off_the_grid_is_corrected_to_the_nearest(gym):
    with pytest.raises(AskAgain, match="does not start at 10:10 AM") as refused:
        await gym.book("ana", "2026-11-24T10:10:00", "haircut")
    for near in ("2026-11-24T10:00:00", "2026-11-24T10:15:00", "2026-11-24T10:30:00"):
        assert near in str(refused.value)


@pytest.mark.parametrize(
    ("starts_at", "service", "why"),
    [
        ("2026-11-22T18:00:00", "yoga", "in the past"),
        ("2026-11-29T18:00:00", "yoga", "closed on Sunday"),
        ("2027-11-24T18:00:00", "yoga", "at most 60 days ahead"),
        ("2026-11-24T20:45:00", "haircut", "within the opening hours"),
        ("2026-11-24T18:00:00", "swimming", "there is yoga, haircut or shave"),
    ],
)
async def test_what_cannot_be_booked_is_explained(gym, starts_at, service, why):
    with pytest.raises(AskAgain, match=why):
        await gym.book("ana", starts_at, service)
    assert await gym.times_of("ana") == []


async def test_notice_is_asked_for(make_gym):
    gym = make_gym(notice_minutes=120)
    with pytest.raises(AskAgain, match="We need 120 minutes' notice; the earliest is Monday 23 November at 2:00 PM"):
        await gym.book("ana", "2026-11-23T13:00:00", "haircut")
    await gym.book("ana", "2026-11-23T14:00:00", "haircut")


async def test_services_that_share_a_chair_do_not_sit_in_it_together(gym):
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    with pytest.raises(AskAgain, match="shave is full"):
        await gym.book("bruno", "2026-11-24T10:15:00", "shave")
    await gym.book("bruno", "2026-11-24T10:30:00", "shave")
    with pytest.raises(AskAgain, match="haircut is full"):
        await gym.book("cleo", "2026-11-24T10:15:00", "haircut")


async def test_nobody_holds_two_of_a_kind_at_once(gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    with pytest.raises(AskAgain, match="already have yoga at that time: yoga A1"):
        await gym.book("ana", "2026-11-24T18:00:00")
    await gym.book("ana", "2026-11-24T19:00:00")
    await gym.book("ana", "2026-11-24T18:30:00", "haircut")  # another kind is their own business


async def test_a_cancelled_place_is_free_again(gym):
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    assert await gym.cancel("ana", "A1") == (
        "Cancelled: haircut A1 on Tuesday 24 November at 10:00 AM (2026-11-24T10:00:00-08:00)."
    )
    await gym.book("bruno", "2026-11-24T10:00:00", "haircut")
    assert await gym.times_of("ana") == []


async def test_cancelling_again_changes_nothing(gym):
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    await gym.cancel("ana", "A1")
    await gym.book("bruno", "2026-11-24T10:00:00", "haircut")
    assert "was cancelled before" in await gym.cancel("ana", "a1")
    assert await gym.times_of("bruno") == ["2026-11-24T10:00:00-08:00"]


async def test_a_move_frees_the_old_place_and_takes_the_new_one(gym):
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    assert await gym.move("ana", "A1", "2026-11-24T11:00:00") == (
        "Moved: haircut A1 from Tuesday 24 November at 10:00 AM (2026-11-24T10:00:00-08:00) "
        "to Tuesday 24 November at 11:00 AM (2026-11-24T11:00:00-08:00)."
    )
    await gym.book("bruno", "2026-11-24T10:00:00", "haircut")
    with pytest.raises(AskAgain, match="full"):
        await gym.book("cleo", "2026-11-24T11:00:00", "haircut")


async def test_a_move_may_overlap_what_it_moves_from(gym):
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    await gym.move("ana", "A1", "2026-11-24T10:15:00")
    await gym.book("bruno", "2026-11-24T09:45:00", "haircut")
    assert await gym.times_of("ana") == ["2026-11-24T10:15:00-08:00"]


async def test_a_move_that_cannot_be_made_changes_nothing(gym):
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    await gym.book("bruno", "2026-11-24T10:30:00", "haircut")
    with pytest.raises(AskAgain, match="haircut is full"):
        await gym.move("ana", "A1", "2026-11-24T10:15:00")
    assert await gym.times_of("ana") == ["2026-11-24T10:00:00-08:00"]
    with pytest.raises(AskAgain, match="haircut is full"):
        await gym.book("cleo", "2026-11-24T10:00:00", "haircut")


async def test_alternatives_for_a_move_count_the_seat_it_leaves(gym):
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    await gym.book("bruno", "2026-11-24T10:30:00", "haircut")
    with pytest.raises(AskAgain, match="2026-11-24T09:45:00"):
        await gym.move("ana", "A1", "2026-11-24T10:15:00")


async def test_a_move_to_the_same_time_changes_nothing(gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    assert "nothing was changed" in await gym.move("ana", "A1", "2026-11-24T18:00:00")


@pytest.mark.parametrize("action", ["cancel", "move"])
async def test_nobody_reaches_an_appointment_of_someone_else(gym, action):
    await gym.book("ana", "2026-11-24T18:00:00")
    await gym.book("ana", "2026-11-25T18:00:00")
    await gym.book("bruno", "2026-11-26T18:00:00")
    with pytest.raises(AskAgain, match=r"no appointment 'A2'\. Theirs are: yoga A1"):
        await (gym.cancel("bruno", "A2") if action == "cancel" else gym.move("bruno", "A2", "2026-11-27T18:00:00"))
    with pytest.raises(AskAgain, match="They have no appointments"):
        await (gym.cancel("cleo", "A1") if action == "cancel" else gym.move("cleo", "A1", "2026-11-27T18:00:00"))
    assert await gym.times_of("ana") == ["2026-11-24T18:00:00-08:00", "2026-11-25T18:00:00-08:00"]


@pytest.mark.parametrize("written", ["A1", "a1", "1", "#A1", " A 1 "])
async def test_an_id_may_be_written_as_people_write_it(gym, written):
    await gym.book("ana", "2026-11-24T18:00:00")
    assert "Cancelled" in await gym.cancel("ana", written)


@pytest.mark.parametrize("written", ["", "A", "yoga", "A1'; drop table appointments", "A99999999999999999999"])
async def test_a_made_up_id_finds_nothing(gym, written):
    await gym.book("ana", "2026-11-24T18:00:00")
    with pytest.raises(AskAgain, match="Theirs are: yoga A1"):
        await gym.cancel("ana", written)


async def test_what_has_begun_cannot_be_changed(gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    gym.clock.set("2026-11-24 18:00 America/Los_Angeles")
    with pytest.raises(GiveUp, match="has begun"):
        await gym.cancel("ana", "A1")
    with pytest.raises(GiveUp, match="has begun"):
        await gym.move("ana", "A1", "2026-11-25T18:00:00")


async def test_a_number_is_never_given_twice(gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    await gym.cancel("ana", "A1")
    assert "id A2" in await gym.book("ana", "2026-11-24T18:00:00")


async def test_a_second_call_gets_the_first_answer_and_changes_nothing(gym):
    first = await gym.book("ana", "2026-11-24T18:00:00", once="k1")
    assert await gym.book("ana", "2026-11-24T18:00:00", once="k1") == first
    assert len(await gym.times_of("ana")) == 1

    moved = await gym.move("ana", "A1", "2026-11-24T19:00:00", once="k2")
    await gym.move("ana", "A1", "2026-11-25T19:00:00")
    assert await gym.move("ana", "A1", "2026-11-24T19:00:00", once="k2") == moved
    assert await gym.times_of("ana") == ["2026-11-25T19:00:00-08:00"]

    cancelled = await gym.cancel("ana", "A1", once="k3")
    gym.clock.set("2027-01-01 12:00 America/Los_Angeles")
    assert await gym.cancel("ana", "A1", once="k3") == cancelled
    assert await gym.book("ana", "2026-11-24T18:00:00", once="k1") == first


async def test_a_refusal_is_not_kept_as_an_answer(gym):
    """The model may try once more with the same key after a crash; nothing had happened, so it is looked at again."""
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    with pytest.raises(AskAgain):
        await gym.book("bruno", "2026-11-24T10:00:00", "haircut", once="k")
    await gym.cancel("ana", "A1")
    assert "Booked" in await gym.book("bruno", "2026-11-24T10:00:00", "haircut", once="k")


async def test_two_lines_in_one_database_do_not_meet(gym, make_gym):
    other = make_gym()
    other.line.key = "another-gym"
    await gym.book("ana", "2026-11-24T10:00:00", "haircut", once="k")
    assert "id A1" in await other.book("ana", "2026-11-24T10:00:00", "haircut", once="k")


async def test_a_service_that_is_gone_can_be_cancelled_but_not_moved(gym, make_gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    later = make_gym(services=[Service(name="haircut", minutes=30)])
    with pytest.raises(GiveUp, match="no longer offer yoga"):
        await later.move("ana", "A1", "2026-11-24T19:00:00")
    assert "Cancelled" in await later.cancel("ana", "A1")


async def test_a_line_that_changes_its_slots_keeps_its_bookings(gym, make_gym):
    await gym.book("ana", "2026-11-24T10:15:00", "haircut")
    hourly = make_gym(services=[Service(name="massage", minutes=60, resource="chair")], slot_minutes=60)
    with pytest.raises(AskAgain, match="full"):
        await hourly.book("bruno", "2026-11-24T10:00:00", "massage")


async def test_a_line_that_takes_fewer_people_gives_no_place_on_top(gym, make_gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    await gym.book("bruno", "2026-11-24T18:00:00")
    await gym.cancel("ana", "A1")
    smaller = make_gym(services=[Service(name="yoga", minutes=60, capacity=1, starts=["18:00", "19:00"])])
    with pytest.raises(AskAgain, match="full"):
        await smaller.book("cleo", "2026-11-24T18:00:00")


async def test_a_service_that_moved_elsewhere_moves_there(gym, make_gym):
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    moved = make_gym(
        services=[
            Service(name="haircut", minutes=30, resource="new chair"),
            Service(name="shave", minutes=20, resource="chair"),
        ]
    )
    await moved.move("ana", "A1", "2026-11-24T10:15:00")
    await moved.book("bruno", "2026-11-24T10:15:00", "shave")
    with pytest.raises(AskAgain, match="full"):
        await moved.book("cleo", "2026-11-24T10:30:00", "haircut")


async def test_info_tells_what_there_is(gym):
    told = await gym.call("appointment_info", "ana")
    assert "yoga: 60 minutes, $15." in told
    assert "sunday closed" in told


async def test_info_of_a_day_tells_what_is_free(gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    told = await gym.call("appointment_info", "bruno", day="2026-11-24")
    assert "7:00 AM (2 of 2 places), 6:00 PM (1 of 2 places), 7:00 PM (2 of 2 places)" in told
    assert "haircut: free on Tuesday 24 November at 6:00 AM to 9:30 AM every 15 minutes, 10:30 AM to 8:30 PM" in told
    assert "shave" not in await gym.call("appointment_info", "bruno", day="2026-11-24", service="yoga")
    assert "yoga: no free times on Sunday 29 November." in await gym.call("appointment_info", "bruno", day="2026-11-29")


async def test_info_of_today_leaves_out_what_is_past(gym):
    told = await gym.call("appointment_info", "ana", day="2026-11-23", service="yoga")
    assert "free on Monday 23 November at 6:00 PM (2 of 2 places), 7:00 PM" in told


async def test_the_list_names_every_upcoming_appointment(gym):
    assert await gym.call("list_appointments", "ana") == "They have no upcoming appointments."
    await gym.book("ana", "2026-11-25T18:00:00")
    await gym.book("ana", "2026-11-24T18:00:00")
    assert await gym.call("list_appointments", "ana") == (
        "A2: yoga on Tuesday 24 November at 6:00 PM (2026-11-24T18:00:00-08:00)\n"
        "A1: yoga on Wednesday 25 November at 6:00 PM (2026-11-25T18:00:00-08:00)"
    )


async def test_a_local_time_that_does_not_exist_is_refused(make_gym):
    gym = make_gym(opening_hours=dict.fromkeys(EVERY_DAY, "00:00-24:00"))
    gym.clock.set("2026-03-06 12:00 America/Los_Angeles")
    with pytest.raises(AskAgain, match="does not exist"):
        await gym.book("ana", "2026-03-08T02:30:00", "haircut")
    assert "2026-03-08T03:00:00-07:00" in await gym.book("ana", "2026-03-08T03:00:00", "haircut")


async def test_a_local_time_that_happens_twice_is_the_first(make_gym):
    gym = make_gym(opening_hours=dict.fromkeys(EVERY_DAY, "00:00-24:00"))
    gym.clock.set("2026-10-30 12:00 America/Los_Angeles")
    assert "2026-11-01T01:30:00-07:00" in await gym.book("ana", "2026-11-01T01:30:00", "haircut")
