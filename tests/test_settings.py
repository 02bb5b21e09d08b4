"""Settings: one table from which variables, flags and defaults come."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from outlook_emulator.settings import ENVIRONMENT_PREFIX, Option, Settings, options

TABLE = list(options())
NUMBERS = [one for one in TABLE if isinstance(one.default, int)]
TEXTS = [one for one in TABLE if isinstance(one.default, str) and not one.choices]
CHOICES = [one for one in TABLE if one.choices]


def name(option: Option) -> str:
    return option.name


def test_the_table_is_the_settings() -> None:
    """There is an option for each setting, in the same order, with the default it has without one."""
    assert [(one.name, one.default) for one in TABLE] == list(asdict(Settings()).items())


@pytest.mark.parametrize("option", TABLE, ids=name)
def test_option_is_described(option: Option) -> None:
    """Every option has a help text, and the flag and variable that its name makes."""
    words = option.name.split("_")

    assert option.help
    assert "--" + "-".join(words) == option.flag
    assert ENVIRONMENT_PREFIX + "_".join(words).upper() == option.variable


def test_defaults() -> None:
    """An environment that says nothing leaves all at its default: loopback, in memory, any credential."""
    settings = Settings.from_environment({"PATH": "/bin", "OUTLOOK": "x", "OUTLOOK_EMULATOR_URL": "http://x"})

    assert Settings() == settings
    assert ("127.0.0.1", 4365, "", "any") == (settings.host, settings.port, settings.data, settings.authorization)


@pytest.mark.parametrize("option", NUMBERS, ids=name)
def test_variable_sets_a_number(option: Option) -> None:
    """A variable with a whole number sets its setting, and that alone."""
    settings = Settings.from_environment({option.variable: "17"})

    assert asdict(Settings()) | {option.name: 17} == asdict(settings)


@pytest.mark.parametrize("option", TEXTS, ids=name)
def test_variable_sets_a_text(option: Option) -> None:
    """A variable with a text sets its setting as it is, and that alone."""
    settings = Settings.from_environment({option.variable: " Some=text "})

    assert asdict(Settings()) | {option.name: " Some=text "} == asdict(settings)


@pytest.mark.parametrize("option", CHOICES, ids=name)
def test_variable_makes_a_choice(option: Option) -> None:
    """Each listed choice is taken; the default is one of them."""
    chosen = [getattr(Settings.from_environment({option.variable: one}), option.name) for one in option.choices]

    assert list(option.choices) == chosen
    assert option.default in option.choices


@pytest.mark.parametrize("text", ["", "many", "1.5", "0x10", "-1"])
@pytest.mark.parametrize("option", NUMBERS, ids=name)
def test_bad_number_names_the_variable(option: Option, text: str) -> None:
    """What is no number from zero up is refused by the variable's name, with what was given."""
    with pytest.raises(ValueError, match=f"^{option.variable} must .*{text}"):
        Settings.from_environment({option.variable: text})


@pytest.mark.parametrize("option", CHOICES, ids=name)
def test_bad_choice_names_the_variable(option: Option) -> None:
    """What is not among the choices is refused by the variable's name, with the choices."""
    with pytest.raises(ValueError, match=f"^{option.variable} must be one of {', '.join(option.choices)}"):
        Settings.from_environment({option.variable: "perhaps"})


def test_the_admin_token_is_not_shown() -> None:
    """Settings that are printed keep the token to themselves."""
    assert "secret" not in repr(Settings(admin_token="secret"))


def test_settings_cannot_be_changed() -> None:
    """A server's settings stay as they were when it was made."""
    assert all(one.kw_only for one in fields(Settings))
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]
