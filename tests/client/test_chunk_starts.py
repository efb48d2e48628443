from magnetar.chunk_starts import MAX_GIVEN_SINCE, ChunkStarts


def test_the_earliest_that_was_not_given() -> None:
    starts = ChunkStarts()
    assert starts.earliest() is None
    for place in ((1, 5), (1, 2), (0, 9)):
        starts.began(place)
    assert starts.earliest() == (0, 9)
    starts.given((0, 9))
    starts.given(None)
    assert starts.earliest() == (1, 2)
    starts.ended((1, 2))
    starts.ended((1, 2))
    assert starts.earliest() == (1, 5)
    starts.began((1, 7), instead_of=(1, 5))
    assert starts.earliest() == (1, 7)
    starts.clear()
    assert starts.earliest() is None


def test_one_that_never_ends_is_left_in_the_end() -> None:
    starts = ChunkStarts()
    starts.began((1, 1))
    for _ in range(MAX_GIVEN_SINCE):
        starts.given(None)
    starts.began((1, 1))  # once more: it is as old as before
    assert starts.earliest() == (1, 1)
    starts.given(None)
    assert starts.earliest() is None
