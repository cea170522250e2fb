"""Places on a board: whatever is asked of them, they keep the order."""

import random

import pytest

from tasks import positions

SEEDS = range(20)


def test_the_first_place_has_room_on_both_sides():
    first = positions.after(None)
    assert positions.before(first) < first < positions.after(first)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_board_stays_in_the_order_of_its_moves(seed):
    """Insert at random into a list and, by places alone, into a board: sorting by place gives the list."""
    rng = random.Random(seed)
    expected = [positions.after(None)]
    for _ in range(300):
        index = rng.choice([0, len(expected), rng.randint(0, len(expected))])
        if index == 0:
            place = positions.before(expected[0])
        elif index == len(expected):
            place = positions.after(expected[-1])
        else:
            place = positions.between(expected[index - 1], expected[index])
        expected.insert(index, place)
    assert expected == sorted(set(expected))


@pytest.mark.parametrize("seed", SEEDS)
def test_between_is_strictly_between_any_two_places(seed):
    rng = random.Random(seed)
    for _ in range(200):
        low, high = sorted(random_place(rng) for _ in range(2))
        if low != high:
            assert low < positions.between(low, high) < high


@pytest.mark.parametrize("seed", SEEDS)
def test_before_and_after_step_over_fractions(seed):
    rng = random.Random(seed)
    for _ in range(100):
        place = random_place(rng)
        assert positions.before(place) < place < positions.after(place)
        assert len(positions.before(place)) == len(positions.after(place)) == positions.DIGITS


def test_places_are_digits_alone_without_trailing_zeros_in_the_fraction():
    """Digits sort alike in every collation; a trailing zero would make two texts of one place."""
    rng = random.Random(1)
    for _ in range(500):
        low, high = sorted(random_place(rng) for _ in range(2))
        if low != high:
            place = positions.between(low, high)
            assert place.isascii()
            assert place.isdigit()
            assert len(place) >= positions.DIGITS
            assert not place[positions.DIGITS :].endswith("0")


@pytest.mark.parametrize("side", ["low", "high"])
def test_halving_one_gap_again_and_again_lengthens_slowly(side):
    """A digit lasts for more than three moves into the same gap: 200 digits for some 600 moves."""
    low, high = positions.after(None), positions.after(positions.after(None))
    for _ in range(300):
        place = positions.between(low, high)
        assert low < place < high
        low, high = (place, high) if side == "low" else (low, place)
    assert len(place) <= positions.DIGITS + 300 // 3 + 1


def test_between_neighbours_of_different_lengths_takes_the_short_way():
    assert positions.between("5000000000", "5000000001") == "50000000005"
    assert positions.between("5000000000", "5000000002") == "5000000001"
    assert positions.between("5000000000", "50000000001") == "500000000005"
    assert positions.between("50000000009", "5000000001") == "500000000095"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spread_is_in_order_between_its_ends_and_takes_no_place_that_is_taken(seed):
    rng = random.Random(seed)
    for _ in range(100):
        low, high = sorted({random_place(rng), random_place(rng), positions.whole(positions.FIRST + 9)})[:2]
        many = rng.randint(1, 20)
        taken = set(positions.spread(low, high, many))
        for places in (sorted(taken), positions.spread(low, high, many, taken)):
            assert [low, *places, high] == sorted({low, *places, high})
            assert len(places) == many
            assert not any(place[positions.DIGITS :].endswith("0") for place in places)
        assert not taken & set(places)


def test_a_spread_is_as_short_as_its_gap_allows_however_long_the_ends_are():
    low, high = f"5000000000{'0' * 90}1", f"50000000019{'9' * 90}"
    assert positions.spread("5000000000", "5000000004", 3) == ["5000000001", "5000000002", "5000000003"]
    assert positions.spread(low, high, 3) == ["50000000004", "50000000009", "50000000014"]


def random_place(rng):
    """Some place, with or without a fraction."""
    whole = str(positions.FIRST + rng.randint(-3, 3))
    fraction = "".join(rng.choice("0123456789") for _ in range(rng.randint(0, 4))).rstrip("0")
    return whole + fraction
