"""Time zones by their three names: Outlook's, Windows' and the IANA database's."""

from __future__ import annotations

from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from outlook_emulator.errors import InvalidProperty
from outlook_emulator.patterns import pattern

WINDOWS_IDS = {
    "(UTC-12:00) International Date Line West": "Dateline Standard Time",
    "(UTC-11:00) Coordinated Universal Time-11": "UTC-11",
    "(UTC-10:00) Aleutian Islands": "Aleutian Standard Time",
    "(UTC-10:00) Hawaii": "Hawaiian Standard Time",
    "(UTC-09:30) Marquesas Islands": "Marquesas Standard Time",
    "(UTC-09:00) Alaska": "Alaskan Standard Time",
    "(UTC-09:00) Coordinated Universal Time-09": "UTC-09",
    "(UTC-08:00) Baja California": "Pacific Standard Time (Mexico)",
    "(UTC-08:00) Coordinated Universal Time-08": "UTC-08",
    "(UTC-08:00) Pacific Time (US & Canada)": "Pacific Standard Time",
    "(UTC-07:00) Arizona": "US Mountain Standard Time",
    "(UTC-07:00) Chihuahua, La Paz, Mazatlan": "Mountain Standard Time (Mexico)",
    "(UTC-07:00) Mountain Time (US & Canada)": "Mountain Standard Time",
    "(UTC-06:00) Central America": "Central America Standard Time",
    "(UTC-06:00) Central Time (US & Canada)": "Central Standard Time",
    "(UTC-06:00) Easter Island": "Easter Island Standard Time",
    "(UTC-06:00) Guadalajara, Mexico City, Monterrey": "Central Standard Time (Mexico)",
    "(UTC-06:00) Saskatchewan": "Canada Central Standard Time",
    "(UTC-05:00) Bogota, Lima, Quito, Rio Branco": "SA Pacific Standard Time",
    "(UTC-05:00) Chetumal": "Eastern Standard Time (Mexico)",
    "(UTC-05:00) Eastern Time (US & Canada)": "Eastern Standard Time",
    "(UTC-05:00) Haiti": "Haiti Standard Time",
    "(UTC-05:00) Havana": "Cuba Standard Time",
    "(UTC-05:00) Indiana (East)": "US Eastern Standard Time",
    "(UTC-04:00) Asuncion": "Paraguay Standard Time",
    "(UTC-04:00) Atlantic Time (Canada)": "Atlantic Standard Time",
    "(UTC-04:00) Caracas": "Venezuela Standard Time",
    "(UTC-04:00) Cuiaba": "Central Brazilian Standard Time",
    "(UTC-04:00) Georgetown, La Paz, Manaus, San Juan": "SA Western Standard Time",
    "(UTC-04:00) Santiago": "Pacific SA Standard Time",
    "(UTC-04:00) Turks and Caicos": "Turks And Caicos Standard Time",
    "(UTC-03:30) Newfoundland": "Newfoundland Standard Time",
    "(UTC-03:00) Araguaina": "Tocantins Standard Time",
    "(UTC-03:00) Brasilia": "E. South America Standard Time",
    "(UTC-03:00) Cayenne, Fortaleza": "SA Eastern Standard Time",
    "(UTC-03:00) City of Buenos Aires": "Argentina Standard Time",
    "(UTC-03:00) Greenland": "Greenland Standard Time",
    "(UTC-03:00) Montevideo": "Montevideo Standard Time",
    "(UTC-03:00) Punta Arenas": "Magallanes Standard Time",
    "(UTC-03:00) Saint Pierre and Miquelon": "Saint Pierre Standard Time",
    "(UTC-03:00) Salvador": "Bahia Standard Time",
    "(UTC-02:00) Coordinated Universal Time-02": "UTC-02",
    "(UTC-02:00) Mid-Atlantic - Old": "Mid-Atlantic Standard Time",
    "(UTC-01:00) Azores": "Azores Standard Time",
    "(UTC-01:00) Cabo Verde Is.": "Cape Verde Standard Time",
    "(UTC) Coordinated Universal Time": "UTC",
    "(UTC+00:00) Casablanca": "Morocco Standard Time",
    "(UTC+00:00) Dublin, Edinburgh, Lisbon, London": "GMT Standard Time",
    "(UTC+00:00) Monrovia, Reykjavik": "Greenwich Standard Time",
    "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna": "W. Europe Standard Time",
    "(UTC+01:00) Belgrade, Bratislava, Budapest, Ljubljana, Prague": "Central Europe Standard Time",
    "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris": "Romance Standard Time",
    "(UTC+01:00) Sarajevo, Skopje, Warsaw, Zagreb": "Central European Standard Time",
    "(UTC+01:00) West Central Africa": "W. Central Africa Standard Time",
    "(UTC+01:00) Windhoek": "Namibia Standard Time",
    "(UTC+02:00) Amman": "Jordan Standard Time",
    "(UTC+02:00) Athens, Bucharest": "GTB Standard Time",
    "(UTC+02:00) Beirut": "Middle East Standard Time",
    "(UTC+02:00) Cairo": "Egypt Standard Time",
    "(UTC+02:00) Chisinau": "E. Europe Standard Time",
    "(UTC+02:00) Damascus": "Syria Standard Time",
    "(UTC+02:00) Gaza, Hebron": "West Bank Standard Time",
    "(UTC+02:00) Harare, Pretoria": "South Africa Standard Time",
    "(UTC+02:00) Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius": "FLE Standard Time",
    "(UTC+02:00) Jerusalem": "Israel Standard Time",
    "(UTC+02:00) Kaliningrad": "Kaliningrad Standard Time",
    "(UTC+02:00) Tripoli": "Libya Standard Time",
    "(UTC+03:00) Baghdad": "Arabic Standard Time",
    "(UTC+03:00) Istanbul": "Turkey Standard Time",
    "(UTC+03:00) Kuwait, Riyadh": "Arab Standard Time",
    "(UTC+03:00) Minsk": "Belarus Standard Time",
    "(UTC+03:00) Moscow, St. Petersburg": "Russian Standard Time",
    "(UTC+03:00) Nairobi": "E. Africa Standard Time",
    "(UTC+03:30) Tehran": "Iran Standard Time",
    "(UTC+04:00) Abu Dhabi, Muscat": "Arabian Standard Time",
    "(UTC+04:00) Astrakhan, Ulyanovsk": "Astrakhan Standard Time",
    "(UTC+04:00) Baku": "Azerbaijan Standard Time",
    "(UTC+04:00) Izhevsk, Samara": "Russia Time Zone 3",
    "(UTC+04:00) Port Louis": "Mauritius Standard Time",
    "(UTC+04:00) Saratov": "Saratov Standard Time",
    "(UTC+04:00) Tbilisi": "Georgian Standard Time",
    "(UTC+04:00) Volgograd": "Volgograd Standard Time",
    "(UTC+04:00) Yerevan": "Caucasus Standard Time",
    "(UTC+04:30) Kabul": "Afghanistan Standard Time",
    "(UTC+05:00) Ashgabat, Tashkent": "West Asia Standard Time",
    "(UTC+05:00) Ekaterinburg": "Ekaterinburg Standard Time",
    "(UTC+05:00) Islamabad, Karachi": "Pakistan Standard Time",
    "(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi": "India Standard Time",
    "(UTC+05:30) Sri Jayawardenepura": "Sri Lanka Standard Time",
    "(UTC+05:45) Kathmandu": "Nepal Standard Time",
    "(UTC+06:00) Astana": "Central Asia Standard Time",
    "(UTC+06:00) Dhaka": "Bangladesh Standard Time",
    "(UTC+06:00) Omsk": "Omsk Standard Time",
    "(UTC+06:30) Yangon (Rangoon)": "Myanmar Standard Time",
    "(UTC+07:00) Bangkok, Hanoi, Jakarta": "SE Asia Standard Time",
    "(UTC+07:00) Barnaul, Gorno-Altaysk": "Altai Standard Time",
    "(UTC+07:00) Hovd": "W. Mongolia Standard Time",
    "(UTC+07:00) Krasnoyarsk": "North Asia Standard Time",
    "(UTC+07:00) Novosibirsk": "N. Central Asia Standard Time",
    "(UTC+07:00) Tomsk": "Tomsk Standard Time",
    "(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi": "China Standard Time",
    "(UTC+08:00) Irkutsk": "North Asia East Standard Time",
    "(UTC+08:00) Kuala Lumpur, Singapore": "Singapore Standard Time",
    "(UTC+08:00) Perth": "W. Australia Standard Time",
    "(UTC+08:00) Taipei": "Taipei Standard Time",
    "(UTC+08:00) Ulaanbaatar": "Ulaanbaatar Standard Time",
    "(UTC+08:30) Pyongyang": "North Korea Standard Time",
    "(UTC+08:45) Eucla": "Aus Central W. Standard Time",
    "(UTC+09:00) Chita": "Transbaikal Standard Time",
    "(UTC+09:00) Osaka, Sapporo, Tokyo": "Tokyo Standard Time",
    "(UTC+09:00) Seoul": "Korea Standard Time",
    "(UTC+09:00) Yakutsk": "Yakutsk Standard Time",
    "(UTC+09:30) Adelaide": "Cen. Australia Standard Time",
    "(UTC+09:30) Darwin": "AUS Central Standard Time",
    "(UTC+10:00) Brisbane": "E. Australia Standard Time",
    "(UTC+10:00) Canberra, Melbourne, Sydney": "AUS Eastern Standard Time",
    "(UTC+10:00) Guam, Port Moresby": "West Pacific Standard Time",
    "(UTC+10:00) Hobart": "Tasmania Standard Time",
    "(UTC+10:00) Vladivostok": "Vladivostok Standard Time",
    "(UTC+10:30) Lord Howe Island": "Lord Howe Standard Time",
    "(UTC+11:00) Bougainville Island": "Bougainville Standard Time",
    "(UTC+11:00) Chokurdakh": "Russia Time Zone 10",
    "(UTC+11:00) Magadan": "Magadan Standard Time",
    "(UTC+11:00) Norfolk Island": "Norfolk Standard Time",
    "(UTC+11:00) Sakhalin": "Sakhalin Standard Time",
    "(UTC+11:00) Solomon Is., New Caledonia": "Central Pacific Standard Time",
    "(UTC+12:00) Anadyr, Petropavlovsk-Kamchatsky": "Russia Time Zone 11",
    "(UTC+12:00) Auckland, Wellington": "New Zealand Standard Time",
    "(UTC+12:00) Coordinated Universal Time+12": "UTC+12",
    "(UTC+12:00) Fiji": "Fiji Standard Time",
    "(UTC+12:00) Petropavlovsk-Kamchatsky - Old": "Kamchatka Standard Time",
    "(UTC+12:45) Chatham Islands": "Chatham Islands Standard Time",
    "(UTC+13:00) Coordinated Universal Time+13": "UTC+13",
    "(UTC+13:00) Nuku'alofa": "Tonga Standard Time",
    "(UTC+13:00) Samoa": "Samoa Standard Time",
    "(UTC+14:00) Kiritimati Island": "Line Islands Standard Time",
}
"""The Windows id of each zone name that an event may be written with, in Outlook's order."""

ZONE_NAMES = ("", *WINDOWS_IDS)
"""The zone names that an event may be written with, as Outlook shows them; the empty one means no zone."""

RETIRED = {"Kamchatka Standard Time": "Asia/Kamchatka", "Mid-Atlantic Standard Time": "Etc/GMT+2"}
"""Windows ids that the CLDR, and so tzlocal, no longer maps, and the zones whose standard time they name."""

ALIASES = {"Z": "UTC", "GMT": "UTC", "tzone://Microsoft/Utc": "UTC"}
"""Other names of zones; the last is how Exchange writes UTC in some responses."""

MACHINE = frozenset({"localtime", "posixrules"})
"""Files in a system's zone directory that name the machine's own zone, rather than one of the IANA database."""

CUSTOM = "tzone://Microsoft/Custom/"
"""How Exchange begins the name of a zone that only its event defines. Here a POSIX rule follows, and is the zone."""

_CUSTOM_RULE = pattern(
    r"<[+-]\d{2,6}>[+-]?\d{1,2}(:\d\d){0,2}"
    r"(<[+-]\d{2,6}>[+-]?\d{1,2}(:\d\d){0,2}(,(M\d{1,2}\.[1-5]\.[0-6]|J\d{1,3})/-?\d{1,3}(:\d\d){0,2}){2})?"
)


def canonical(name: str, field: str) -> str:
    """The stored name of a zone: its Windows id, or its IANA name if it has none.

    Accepts a name of any kind, in any case and with blanks around it. The name is only looked up in a table, so a
    hostile one reaches no file. Raises InvalidProperty for an unknown zone.
    """
    key = name.strip().casefold()
    zone_name = _usual_names().get(key) or _remaining_names().get(key) or _custom_name(name.strip())
    if zone_name is None:
        raise InvalidProperty(field, f"must be a known time zone, not '{name[:100]}'.")
    return zone_name


def iana(name: str) -> str:
    """The IANA name of a canonical name; the CLDR's choice if a Windows zone covers several."""
    return _windows_to_iana().get(name, name)


# Bounded, since there are as many custom zones as there are rules.
@lru_cache(maxsize=4096)
def zone(name: str) -> ZoneInfo:
    """The rules of a canonical name."""
    return _custom_zone(name.removeprefix(CUSTOM)) if name.startswith(CUSTOM) else ZoneInfo(iana(name))


def _custom_name(name: str) -> str | None:
    rule = name.removeprefix(CUSTOM)
    if rule == name or not _CUSTOM_RULE.fullmatch(rule):
        return None
    try:
        _custom_zone(rule)
    except ValueError:
        return None
    return name


def _custom_zone(rule: str) -> ZoneInfo:
    """The zone of a POSIX rule, as the end of a zone file, which is the only place where Python reads such rules."""
    from io import BytesIO
    from struct import pack

    header = b"TZif2" + bytes(15) + pack(">6l", 0, 0, 0, 0, 1, 4)
    block = header + pack(">lbb", 0, 0, 0) + b"UTC\0"
    return ZoneInfo.from_file(BytesIO(block + block + b"\n" + rule.encode() + b"\n"), key=CUSTOM + rule)


@cache
def _windows_to_iana() -> dict[str, str]:
    # Imported here, since only requests about events need it.
    from tzlocal.windows_tz import win_tz

    return win_tz | RETIRED


@cache
def _usual_names() -> dict[str, str]:
    """The canonical name of every Windows zone, by each of its names in lower case."""
    from tzlocal.windows_tz import tz_win

    windows_ids = {windows_id: windows_id for windows_id in _windows_to_iana()}
    names = {name: windows_id for name, windows_id in tz_win.items() if name}
    return _casefolded(names | windows_ids | WINDOWS_IDS | ALIASES)


@cache
def _remaining_names() -> dict[str, str]:
    """The other IANA names, in lower case. They are separate because listing them reads every zone file."""
    return _casefolded({name: name for name in available_timezones() - MACHINE})


def _casefolded(names: dict[str, str]) -> dict[str, str]:
    return {name.casefold(): zone_name for name, zone_name in names.items()}
