import pytest

from mifprofile.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "n/a"),
        (None, "n/a"),
        (float("inf"), "n/a"),
        (0.0, "0"),
        (12345, "12\N{NARROW NO-BREAK SPACE}345"),
        (0.0625, "0.0625"),
        (3.14159, "3.14"),
        (1234.56, "1\N{NARROW NO-BREAK SPACE}235"),
        (-0.5, "-0.500"),
    ],
)
def test_numbers_have_three_digits_or_all_that_are_whole(value, text):
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.94, "8.9 s"), (119, "2 min"), (7260, "2 h 01 min")]
)
def test_durations_have_the_unit_a_person_would_choose(seconds, text):
    assert wording.duration(seconds).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (0.005, "0.005"),
        (281_347_000, "281347000"),
        ([1, 2], "1, 2"),
        (list(range(99)), "99 entries"),
        ([{"a": 1}], "1 entry"),
        ({"a": 1, "b": None}, "a: 1, b: –"),
    ],
)
def test_values_of_records_fit_on_a_line(value, text):
    assert wording.plain(value) == text
