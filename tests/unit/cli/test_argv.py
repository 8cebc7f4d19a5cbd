"""Several values behind one flag."""

from tidegate_cli.argv import spread_values


def test_spread_values_several_behind_one_flag_repeats_the_flag() -> None:
    """Typer takes one value an option; people name several files."""
    found = spread_values(["up", "--replay", "a", "b", "--speed", "max", "--json"])

    assert found == ["up", "--replay", "a", "--replay", "b", "--speed", "max", "--json"]


def test_spread_values_repeated_flags_are_left_alone() -> None:
    """Both ways of naming several files work, also together."""
    found = spread_values(["--replay", "a", "--replay", "b", "c"])

    assert found == ["--replay", "a", "--replay", "b", "--replay", "c"]


def test_spread_values_flag_with_equals_sign_takes_more_values() -> None:
    """`--data=a b` names two files."""
    assert spread_values(["--data=a", "b"]) == ["--data=a", "--data", "b"]


def test_spread_values_flag_at_the_end_is_left_for_typer_to_refuse() -> None:
    """A missing value is Typer's to complain of."""
    assert spread_values(["--data"]) == ["--data"]


def test_spread_values_other_flags_end_the_list() -> None:
    """An argument behind another option is not a file."""
    assert spread_values(["--data", "a", "--seed", "7", "x"]) == ["--data", "a", "--seed", "7", "x"]


def test_spread_values_behind_two_dashes_changes_nothing() -> None:
    """Two dashes end the options."""
    assert spread_values(["--data", "a", "--", "b"]) == ["--data", "a", "--", "b"]
