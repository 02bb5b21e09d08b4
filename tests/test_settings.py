"""Settings: one table that defines variables, flags and defaults."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from outlook_emulator.settings import ENVIRONMENT_PREFIX, Setting, Settings, limits, options

TABLE = list(options())
NUMBERS = [option for option in TABLE if isinstance(option.default, int)]
FORMS = ("public_url", "domain")
"""Texts that have a form, and tests of their own."""
TEXTS = [
    option for option in TABLE if isinstance(option.default, str) and not option.choices and option.name not in FORMS
]
CHOICES = [option for option in TABLE if option.choices]


def name(option: Setting) -> str:
    return option.name


def test_table_matches_the_settings() -> None:
    """There is an option for each setting, in the same order and with the same default."""
    assert [(option.name, option.default) for option in TABLE] == list(asdict(Settings()).items())


@pytest.mark.parametrize("option", TABLE, ids=name)
def test_option_is_described(option: Setting) -> None:
    """Every option has a help text, and a flag and a variable derived from its name."""
    words = option.name.split("_")

    assert option.help
    assert "--" + "-".join(words) == option.flag
    assert ENVIRONMENT_PREFIX + "_".join(words).upper() == option.variable


def test_defaults() -> None:
    """Without variables, all settings have their defaults: loopback, in memory, any credential."""
    settings = Settings.from_environment({"PATH": "/bin", "OUTLOOK": "x", "OUTLOOK_EMULATOR_URL": "http://x"})

    assert Settings() == settings
    assert ("127.0.0.1", 4365, "", "any") == (settings.host, settings.port, settings.data, settings.authorization)


@pytest.mark.parametrize("option", NUMBERS, ids=name)
def test_variable_sets_a_number(option: Setting) -> None:
    """A variable with a whole number changes its setting only."""
    settings = Settings.from_environment({option.variable: "17"})

    assert asdict(Settings()) | {option.name: 17} == asdict(settings)


@pytest.mark.parametrize("option", TEXTS, ids=name)
def test_variable_sets_a_text(option: Setting) -> None:
    """A variable with a text changes its setting only, and the text stays unchanged."""
    settings = Settings.from_environment({option.variable: " Some=text "})

    assert asdict(Settings()) | {option.name: " Some=text "} == asdict(settings)


@pytest.mark.parametrize("option", CHOICES, ids=name)
def test_variable_sets_a_choice(option: Setting) -> None:
    """Each listed choice is accepted, and the default is one of them."""
    chosen = [getattr(Settings.from_environment({option.variable: choice}), option.name) for choice in option.choices]

    assert list(option.choices) == chosen
    assert option.default in option.choices


@pytest.mark.parametrize("text", ["", "many", "1.5", "0x10", "-1"])
@pytest.mark.parametrize("option", NUMBERS, ids=name)
def test_bad_number_names_flag_and_variable(option: Setting, text: str) -> None:
    """An invalid number is rejected, and the error names flag, variable and value."""
    with pytest.raises(ValueError, match=rf"^{option.flag} \(or {option.variable}\) must .*{text}"):
        Settings.from_environment({option.variable: text})


@pytest.mark.parametrize("option", CHOICES, ids=name)
def test_bad_choice_names_flag_and_variable(option: Setting) -> None:
    """A value that is not a choice is rejected, and the error names flag, variable and choices."""
    with pytest.raises(
        ValueError, match=rf"^{option.flag} \(or {option.variable}\) must be one of {', '.join(option.choices)}"
    ):
        Settings.from_environment({option.variable: "perhaps"})


def test_admin_token_is_not_shown() -> None:
    """The representation of settings does not contain the token."""
    assert "secret" not in repr(Settings(admin_token="secret"))


def test_settings_are_immutable() -> None:
    """Settings are immutable and keyword-only."""
    assert all(field.kw_only for field in fields(Settings))
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("option", [number for number in NUMBERS if number.most is not None], ids=name)
def test_number_above_its_bound(option: Setting) -> None:
    """A number above its upper bound raises ValueError with the bounds."""
    with pytest.raises(ValueError, match=rf"^{option.flag} .*must be from \d+ to {option.most}, not "):
        option.read(f"{option.most}0")


@pytest.mark.parametrize("text", ["mail.test", "ftp://mail.test", "http://", "https://a b", "/x", "https://h/?q=1"])
def test_a_url_must_be_absolute(text: str) -> None:
    """A public URL without scheme or host, or with more than a path, is rejected; links made of it would be broken."""
    with pytest.raises(ValueError, match=r"^--public-url \(or .*\) must be a URL such as https://mail.test"):
        Settings.from_environment({"OUTLOOK_EMULATOR_PUBLIC_URL": text})


@pytest.mark.parametrize("text", ["", "https://mail.test", "HTTP://localhost:4365", "https://[::1]:1/outlook/"])
def test_a_url(text: str) -> None:
    """A public URL has a host, and may have a port and a path; an empty one is the caller's host."""
    assert text == Settings.from_environment({"OUTLOOK_EMULATOR_PUBLIC_URL": text}).public_url


@pytest.mark.parametrize("text", ["", "a b", "a@b.c", "a..b", ".b", "a\x00b", "x" * 201, "mail.test\n"])
def test_no_domain(text: str) -> None:
    """A domain that no mail address can have is rejected, since no mailbox could be created."""
    with pytest.raises(ValueError, match=r"^--domain \(or .*\) must be a domain of mail addresses such as outlook.com"):
        Settings.from_environment({"OUTLOOK_EMULATOR_DOMAIN": text})


@pytest.mark.parametrize("text", ["mail.test", "localhost", "é.example"])
def test_a_domain(text: str) -> None:
    """Domains need no dot."""
    assert text == Settings.from_environment({"OUTLOOK_EMULATOR_DOMAIN": text}).domain


def test_limits_are_settings() -> None:
    """Each limit of the admin API is a number among the settings, with both bounds."""
    assert limits()
    assert {limit.name for limit in limits()} <= {number.name for number in NUMBERS}
    assert all(limit.least is not None and limit.most is not None for limit in limits())
