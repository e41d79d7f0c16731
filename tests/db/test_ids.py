"""Ids sort as they were made, and none is made twice."""

from concurrent.futures import ThreadPoolExecutor

from replyline.db import new_id


def test_ids_of_the_same_millisecond_sort_as_they_were_made():
    made = [new_id("txt") for _ in range(20_000)]
    assert made == sorted(made)
    assert {len(each) for each in made} == {len("txt_019a3b7c2f10a1b2c3d4e5")}


def test_threads_never_make_the_same_id():
    with ThreadPoolExecutor(8) as pool:
        made = [each for some in pool.map(lambda _: [new_id("txt") for _ in range(2_000)], range(8)) for each in some]
    assert len(set(made)) == 16_000
