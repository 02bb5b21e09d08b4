"""Forms of Logic Apps projects, as public repositories have them: each is patched, points here, and is restored.

The checks read the files with a small resolver of their own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from outlook_emulator.logic_apps.key import KEY
from tests.cli.commands import command

EMULATOR, OTHER = "http://127.0.0.1:4365", "http://other.test:81"
OLD, PATH = "https://7f.09.common.logic-westeurope.azure-apihub.net", "/apim/outlook/6f1ed002ab5595859014ebf0951522d9"
RAW = {"type": "Raw", "scheme": "Key", "parameter": "@appsetting('outlook-connectionKey')"}
IDENTITY = {"type": "ManagedServiceIdentity"}
OAUTH = {
    "type": "ActiveDirectoryOAuth",
    "audience": "https://management.core.windows.net/",
    "credentialType": "Secret",
    "clientId": "@appsetting('WORKFLOWAPP_AAD_CLIENTID')",
    "tenant": "@appsetting('WORKFLOWAPP_AAD_TENANTID')",
    "secret": "@appsetting('WORKFLOWAPP_AAD_CLIENTSECRET')",
}
BRACES, BARE = "@{{appsetting('{}')}}", "@appsetting('{}')"
MAIN, SETTINGS, PARAMETERS = "connections.json", "local.settings.json", "parameters.json"
AZURE = {
    "WORKFLOWS_SUBSCRIPTION_ID": "2dc3",
    "WORKFLOWS_LOCATION_NAME": "westeurope",
    "WORKFLOWS_RESOURCE_GROUP_NAME": "group",
}
KEYS = {"outlook-connectionKey": "a real key"}
URL_SETTING = {"outlook-ConnectionRuntimeUrl": OLD + PATH}
_INVENTED = "/apim/outlook/outlook"


def api_id(name: str = "outlook", form: str = "{}") -> str:
    subscription, location = (form.format(key) for key in ("WORKFLOWS_SUBSCRIPTION_ID", "WORKFLOWS_LOCATION_NAME"))
    return f"/subscriptions/{subscription}/providers/Microsoft.Web/locations/{location}/managedApis/{name}"


def entry(
    url: Any = OLD + PATH, authentication: Any = RAW, *, form: str = "{}", api: str = "outlook"
) -> dict[str, Any]:
    subscription, group = (form.format(key) for key in ("WORKFLOWS_SUBSCRIPTION_ID", "WORKFLOWS_RESOURCE_GROUP_NAME"))
    connection = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Web/connections/{api}"
    members = {
        "api": {"id": api_id(api, form)},
        "connection": {"id": connection},
        "connectionRuntimeUrl": url,
        "authentication": authentication,
    }
    return {name: value for name, value in members.items() if value is not None}


def pretty(value: Any, indent: int | str = 2) -> str:
    return json.dumps(value, indent=indent) + "\n"


def main(indent: Any = 2, **entries: Any) -> str:
    return pretty({"managedApiConnections": entries}, indent)


def settings(**values: Any) -> str:
    return pretty({"IsEncrypted": False, "Values": {"AzureWebJobsStorage": "UseDevelopmentStorage=true", **values}})


def parameters(**values: Any) -> str:
    return pretty({name: {"type": "String", "value": value} for name, value in values.items()})


@dataclass
class Variant:
    """The files of a project, and the paths that its connections must have at the emulator."""

    files: dict[str, str | bytes]
    paths: dict[str, str] = field(default_factory=lambda: {"outlook": PATH})
    file: str = MAIN
    arguments: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def with_settings(connections: str, **values: Any) -> Variant:
    return Variant({MAIN: connections, SETTINGS: settings(**AZURE, **KEYS, **values)})


COMMENTED = f"""// the connections
{{
  /* only one
     for now */
  "managedApiConnections": {{
    "outlook": {{
      "api": {{ "id": "{api_id()}" }}, // Outlook.com
      "connection": {{ "id": "/subscriptions/2dc3/resourceGroups/group/providers/Microsoft.Web/connections/outlook" }},
      "connectionRuntimeUrl": "{OLD}{PATH}", // not "http://localhost"
      "authentication": {{ "type": "ManagedServiceIdentity", }},
    }},
  }},
}}
"""
ESCAPED = main(outlook=entry()).replace("/", "\\/")
TWO = {"outlook": entry(), "outlook-1": entry(OLD + "/apim/outlook/second", IDENTITY)}
WORKFLOW = pretty(
    {
        "definition": {
            "actions": {
                "Scope": {
                    "type": "Scope",
                    "actions": {
                        "Send": {
                            "type": "ApiConnection",
                            "inputs": {"host": {"connection": {"referenceName": "outlook"}}, "method": "post"},
                        }
                    },
                }
            }
        },
        "kind": "Stateful",
    },
    4,
)
VARIANTS: dict[str, Variant] = {
    # Where the URL is
    "inline": with_settings(main(outlook=entry())),
    "inline, ends in a slash": with_settings(main(outlook=entry(OLD + PATH + "/"))),
    "inline, with a query": with_settings(main(outlook=entry(OLD + PATH + "?x=1"))),
    "app setting": with_settings(main(outlook=entry("@appsetting('outlook-ConnectionRuntimeUrl')")), **URL_SETTING),
    "app setting in braces": with_settings(
        main(outlook=entry("@{appsetting('outlook-ConnectionRuntimeUrl')}", form=BRACES)), **URL_SETTING
    ),
    "app setting, other case": with_settings(
        main(outlook=entry("@AppSetting('OUTLOOK-connectionruntimeurl')")), **URL_SETTING
    ),
    "host in an app setting": with_settings(
        main(outlook=entry("https://@{appsetting('host')}" + PATH)), host=OLD.removeprefix("https://")
    ),
    "base URL in an app setting": with_settings(main(outlook=entry("@{appsetting('base')}" + PATH)), base=OLD),
    "parameter": Variant(
        {
            MAIN: main(outlook=entry("@parameters('outlook-ConnectionRuntimeUrl')")),
            SETTINGS: settings(**KEYS),
            PARAMETERS: parameters(**URL_SETTING),
        }
    ),
    "parameter that names an app setting": Variant(
        {
            MAIN: main(outlook=entry("@parameters('url')", "@parameters('outlook-Authentication')", form=BRACES)),
            SETTINGS: settings(**AZURE, **KEYS, **URL_SETTING),
            PARAMETERS: pretty(
                {
                    "url": {"type": "String", "value": "@appsetting('outlook-ConnectionRuntimeUrl')"},
                    "outlook-Authentication": {"type": "Object", "value": RAW},
                }
            ),
        }
    ),
    "connection without a URL": with_settings(main(outlook=entry(None))),
    "empty URL": with_settings(main(outlook=entry(""))),
    "URL is null": with_settings(main(outlook=entry()).replace(f'"{OLD}{PATH}"', "null")),
    "empty app setting": with_settings(main(outlook=entry("@appsetting('url')")), url=""),
    "placeholder URL": with_settings(main(outlook=entry("https://{connection-runtime-url}.azure-apihub.net" + PATH))),
    # How it authenticates
    "managed identity": with_settings(main(outlook=entry(authentication=IDENTITY))),
    "identity of a user": with_settings(
        main(outlook=entry(authentication={**IDENTITY, "identity": "/subscriptions/x"}))
    ),
    "OAuth": with_settings(main(outlook=entry(authentication=OAUTH))),
    "key inline": with_settings(main(outlook=entry(authentication={**RAW, "parameter": "a real key"}))),
    "key without settings for it": Variant({MAIN: main(outlook=entry()), SETTINGS: settings()}),
    "raw value": with_settings(main(outlook=entry(authentication={"type": "Raw", "value": "Key x"}))),
    "bearer": with_settings(main(outlook=entry(authentication={**RAW, "scheme": "Bearer"}))),
    "basic": with_settings(main(outlook=entry(authentication={"type": "Basic", "username": "u", "password": "p"}))),
    "certificate": with_settings(main(outlook=entry(authentication={"type": "ClientCertificate", "pfx": "x"}))),
    "no authentication": with_settings(main(outlook=entry(authentication=None))),
    "authentication in a parameter": Variant(
        {
            MAIN: main(outlook=entry(authentication="@parameters('auth')")),
            SETTINGS: settings(),
            PARAMETERS: pretty({"auth": {"type": "object", "value": IDENTITY}}),
        }
    ),
    "authentication type in an app setting": with_settings(
        main(outlook=entry(authentication={"type": "@appsetting('kind')"})), kind="ManagedServiceIdentity"
    ),
    # How it names its API
    "API id in braces": with_settings(main(outlook=entry(form=BRACES))),
    "API id without braces": with_settings(main(outlook=entry(form=BARE))),
    "API id in an app setting": with_settings(
        main(outlook={**entry(), "api": {"id": "@appsetting('outlook-apiId')"}}), **{"outlook-apiId": api_id()}
    ),
    "last part of the API id in an app setting": with_settings(
        main(mail={**entry(), "api": {"id": api_id("@{appsetting('api')}")}}), api="outlook"
    ),
    "API id in a parameter": Variant(
        {
            MAIN: main(outlook={**entry(), "api": {"id": "@parameters('api')"}}),
            SETTINGS: settings(**KEYS),
            PARAMETERS: parameters(api=api_id()),
        }
    ),
    "API of another case": with_settings(main(outlook=entry()).replace("managedApis/outlook", "ManagedAPIs/Outlook/")),
    # How it is written
    "comments and trailing commas": with_settings(COMMENTED),
    "byte order mark": Variant({MAIN: b"\xef\xbb\xbf" + main(outlook=entry()).encode(), SETTINGS: settings(**KEYS)}),
    "byte order mark in the settings": Variant(
        {MAIN: main(outlook=entry()), SETTINGS: b"\xef\xbb\xbf" + settings(**KEYS).encode()}
    ),
    "CRLF": Variant(
        {
            MAIN: main(outlook=entry(authentication=IDENTITY)).replace("\n", "\r\n"),
            SETTINGS: settings(**KEYS).replace("\n", "\r\n"),
        }
    ),
    "tabs": with_settings(main("\t", outlook=entry(authentication=IDENTITY))),
    "one line": with_settings(json.dumps({"managedApiConnections": {"outlook": entry(authentication=IDENTITY)}})),
    "escaped slashes": with_settings(ESCAPED),
    "other letters": with_settings(main(outlook=entry()).replace('"api"', '"naïve": "日本 \\ud83d\\ude00", "api"')),
    "members in other case": with_settings(
        main(outlook=entry()).replace("connectionRuntimeUrl", "ConnectionRuntimeURL")
    ),
    # Missing files
    "no settings": Variant({MAIN: main(outlook=entry(authentication=IDENTITY))}),
    "no settings, key in one": Variant({MAIN: main(outlook=entry(form=BRACES))}),
    "no settings, all in one": Variant(
        {MAIN: main(outlook=entry("@appsetting('url')", form=BRACES))}, paths={"outlook": _INVENTED}
    ),
    "no settings, end of the URL in one": Variant(
        {MAIN: main(outlook=entry(OLD + "/apim/outlook/@{appsetting('id')}"))}, paths={"outlook": _INVENTED}
    ),
    "no settings, API id in one": Variant({MAIN: main(outlook={**entry(), "api": {"id": "@appsetting('id')"}})}),
    "empty settings": Variant({MAIN: main(outlook=entry()), SETTINGS: ""}),
    "settings without values": Variant({MAIN: main(outlook=entry()), SETTINGS: "{}"}),
    "no parameters": Variant(
        {MAIN: main(outlook=entry("@parameters('url')", "@parameters('auth')"))}, paths={"outlook": _INVENTED}
    ),
    "parameters without this one": Variant(
        {MAIN: main(outlook=entry("@parameters('url')")), PARAMETERS: parameters(x="y"), SETTINGS: settings(**KEYS)},
        paths={"outlook": _INVENTED},
    ),
    "parameter names a missing app setting": Variant(
        {MAIN: main(outlook=entry("@parameters('url')")), PARAMETERS: parameters(url="@appsetting('url')")},
        paths={"outlook": _INVENTED},
    ),
    # Several connections
    "two connections": Variant(
        {MAIN: main(**TWO), SETTINGS: settings(**KEYS)}, {"outlook": PATH, "outlook-1": "/apim/outlook/second"}
    ),
    "one of two connections": Variant(
        {MAIN: main(outlook=entry(), other=entry(OTHER + PATH, {**RAW, "parameter": "k"}, api="teams"))},
        arguments=("--connection", "outlook"),
    ),
    "other connectors": Variant(
        {
            MAIN: pretty(
                {
                    "serviceProviderConnections": {"sb": {"serviceProvider": {"id": "/serviceProviders/serviceBus"}}},
                    "managedApiConnections": {"teams": entry(OLD + "/apim/teams/x", IDENTITY, api="teams"), **TWO},
                    "functionConnections": {},
                }
            )
        },
        {"outlook": PATH, "outlook-1": "/apim/outlook/second"},
    ),
    "connection of another name": Variant(
        {MAIN: main(**{"Work mail (ü)": entry(authentication=IDENTITY)})}, {"Work mail (ü)": PATH}
    ),
    # Folders
    "nested folder": Variant(
        {"src/app/connections.json": main(outlook=entry()), "src/app/local.settings.json": settings(**KEYS)},
        file="src/app/connections.json",
    ),
    "folder with a space and letters": Variant(
        {"my äpp/[x]/connections.json": main(outlook=entry()), "my äpp/[x]/local.settings.json": settings(**KEYS)},
        file="my äpp/[x]/connections.json",
    ),
    "folder of the project": Variant(
        {"app/connections.json": main(outlook=entry()), "app/local.settings.json": settings(**KEYS)}, file="app"
    ),
    "settings elsewhere": Variant(
        {"app/connections.json": main(outlook=entry("@appsetting('url')")), "s.json": settings(**KEYS, url=OLD + PATH)},
        file="app/connections.json",
        arguments=("--settings", "s.json"),
    ),
    "workflow without retries": Variant(
        {MAIN: main(outlook=entry()), "Flow/workflow.json": WORKFLOW, SETTINGS: settings(**KEYS)},
        arguments=("--no-retries",),
    ),
    "callbacks through a tunnel": with_settings(
        main(outlook=entry()), **{"Workflows.WebhookRedirectHostUri": "https://x.ngrok.io"}
    ),
}
# These keep a real path that is not the common one.
VARIANTS["inline, ends in a slash"].paths = {"outlook": PATH + "/"}
VARIANTS["inline, with a query"].paths = {"outlook": PATH + "?x=1"}
VARIANTS["last part of the API id in an app setting"].paths = {"mail": PATH}
for missing in ("connection without a URL", "empty URL", "URL is null", "empty app setting"):
    VARIANTS[missing].paths = {"outlook": _INVENTED}
GIT = {"no git": None, "git": "", "git with ignored files": "local.settings.json\ns.json\n"}

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


class Repository:
    """A folder with or without git."""

    def __init__(self, folder: Path, ignored: str | None) -> None:
        self.folder = folder
        self._has_git = ignored is not None
        if ignored is not None:
            self._git("init", "-q")
            (folder / ".gitignore").write_text(ignored)
            self._git("add", "-A")
            self._git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--no-gpg-sign", "-m", "x")

    def _git(self, *arguments: str) -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> None:
        self._git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qa", "--allow-empty", "-m", "y")

    def state(self) -> str:
        """Return what git shows as changed or new."""
        return self._git("status", "--porcelain", "--untracked-files=all") if self._has_git else ""

    def everything(self) -> dict[str, bytes]:
        """Return all files; of git, those that say what it hides."""
        return {
            name: path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
            and (not (name := str(path.relative_to(self.folder))).startswith(".git/") or "exclude" in name)
        }

    def flags(self) -> str:
        """Return what git knows of its files, which includes whether it hides changes of them."""
        return self._git("ls-files", "-v") if self._has_git else ""


def read(path: Path) -> Any:
    """Read lenient JSON, with a simpler reader than the emulator's."""
    if not path.exists() or not path.read_bytes().strip():
        return {}
    text = re.sub(
        r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/',
        lambda match: match[1] or "",
        path.read_bytes().decode("utf-8-sig"),
        flags=re.DOTALL,
    )
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", text))


def lowered(value: Any) -> Any:
    return {name.lower(): member for name, member in value.items()}


def resolved(value: Any, values: Any, parameters: Any) -> Any:
    """Replace references as the runtime does."""
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"@\{?(\w+)\('(.*?)'\)\}?", value)
    if whole and whole[1].lower() == "parameters":
        return resolved(parameters[whole[2]]["value"], values, parameters)
    return re.sub(r"@\{?appsetting\('(.*?)'\)\}?", lambda match: values[match[1].lower()], value, flags=re.IGNORECASE)


def targets(variant: Variant, folder: Path) -> dict[str, tuple[str, Any]]:
    """Return where the outlook connections point, and the header that they send."""
    file = folder / variant.file
    file = file / MAIN if file.is_dir() else file
    elsewhere = [folder / name for name in variant.arguments if name.endswith(".json")]
    values = lowered(read(elsewhere[0] if elsewhere else file.with_name(SETTINGS)).get("Values", {}))
    known = read(file.with_name(PARAMETERS))
    result = {}
    for name, connection in read(file)["managedApiConnections"].items():
        members = lowered(connection)
        if name not in variant.paths:
            continue
        assert resolved(members["api"]["id"], values, known).rstrip("/").lower().endswith("/managedapis/outlook")
        authentication = resolved(members["authentication"], values, known)
        header = [resolved(authentication[member], values, known) for member in ("type", "scheme", "parameter")]
        result[name] = resolved(members["connectionruntimeurl"], values, known), tuple(header)
    return result


def pointing(variant: Variant, url: str, scheme: str) -> dict[str, tuple[str, Any]]:
    return {name: (url + path, ("Raw", scheme, KEY)) for name, path in variant.paths.items()}


# All with git as projects usually have it, and every third one in the other ways: each takes a quarter of a second.
CASES = [
    pytest.param(variant, ignored, id=f"{name}, {kind}")
    for number, (name, variant) in enumerate(VARIANTS.items())
    for kind, ignored in GIT.items()
    if ignored or number % 3 == 0
]


@needs_git
@pytest.mark.parametrize(("variant", "ignored"), CASES)
def test_variant(
    say: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: Variant, ignored: str | None
) -> None:
    """A project is patched twice, its status is right, it is restored byte for byte, and git shows nothing of it."""
    monkeypatch.chdir(tmp_path)
    variant.write(tmp_path)
    repository = Repository(tmp_path, ignored)
    before, flags = repository.everything(), repository.flags()
    others = read_others(variant, tmp_path)
    more = variant.arguments[:2] if "--settings" in variant.arguments else ()
    scheme = "Bearer" if b'"Bearer"' in before.get(MAIN, b"") else "Key"

    assert (1, "") == say("connections", "status", variant.file, *more)[::2]
    for url in (EMULATOR, OTHER):
        assert (0, "") == say("connections", "patch", variant.file, "--url", url, *variant.arguments)[::2]
        assert (pointing(variant, url, scheme), "") == (targets(variant, tmp_path), repository.state())
        assert (0, "") == say("connections", "status", variant.file, "--url", url, *more)[::2]
    assert others == read_others(variant, tmp_path)
    assert (0, "") == say("connections", "restore", variant.file)[::2]
    assert (before, "", flags) == (repository.everything(), repository.state(), repository.flags())
    assert 1 == say("connections", "status", variant.file, *more)[0]


def read_others(variant: Variant, folder: Path) -> Any:
    """Return the connections of other connectors."""
    file = folder / variant.file
    content = read(file / MAIN if file.is_dir() else file)
    content["managedApiConnections"] = {
        name: value for name, value in content["managedApiConnections"].items() if name not in variant.paths
    }
    return content


def test_number_of_variants() -> None:
    """There are at least forty forms of a project."""
    assert len(VARIANTS) >= 40


# Projects that change while they are patched


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A project in git with ignored settings, as the current directory."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    monkeypatch.chdir(tmp_path)
    with_settings(main(outlook=entry("@appsetting('url')", IDENTITY)), url=OLD + PATH).write(tmp_path)
    return Repository(tmp_path, GIT["git with ignored files"])


def test_show_in_git(project: Repository, say: Callable[..., Any]) -> None:
    """With --show-in-git, git shows the changed files, but never the originals."""
    say("connections", "patch", MAIN, "--show-in-git")

    assert " M connections.json\n" == project.state()


def test_hidden_from_git(project: Repository, say: Callable[..., Any]) -> None:
    """A patch says that git hides its changes, and a commit of everything leaves them out."""
    out = say("connections", "patch", MAIN)[1]
    project.commit()

    assert "until then, git hides the changed files" == out.splitlines()[-1]
    say("connections", "restore", MAIN)
    assert "" == project.state()


def test_edit_while_patched(project: Repository, say: Callable[..., Any]) -> None:
    """After a restore, git shows only what the user changed meanwhile."""
    say("connections", "patch", MAIN)
    path = project.folder / MAIN
    content = read(path)
    content["managedApiConnections"]["teams"] = entry(OLD + "/apim/teams/x", IDENTITY, api="teams")
    path.write_text(pretty(content))

    assert 0 == say("connections", "patch", MAIN, "--url", OTHER)[0]
    assert 0 == say("connections", "restore", MAIN)[0]
    assert " M connections.json\n" == project.state()
    del content["managedApiConnections"]["teams"]
    restored = read(path)
    assert entry(OLD + "/apim/teams/x", IDENTITY, api="teams") == restored["managedApiConnections"].pop("teams")
    assert {"managedApiConnections": {"outlook": entry("@appsetting('url')", IDENTITY)}} == restored


def test_key_fetched_by_the_designer(project: Repository, say: Callable[..., Any]) -> None:
    """Settings that another tool wrote anew and extended get their original values back, and keep what is new."""
    say("connections", "patch", MAIN)
    path = project.folder / SETTINGS
    content = read(path)
    path.write_text(pretty({**content, "Values": {**content["Values"], "teams-connectionKey": "new"}}, 4))

    assert (0, "") == say("connections", "restore", MAIN)[::2]
    values = read(path)["Values"]
    assert (OLD + PATH, "a real key", "new") == tuple(
        values[name] for name in ("url", "outlook-connectionKey", "teams-connectionKey")
    )


def test_missing_backup(project: Repository, say: Callable[..., Any]) -> None:
    """Without its backup, a project cannot be restored, and the error says how git shows its files again."""
    say("connections", "patch", MAIN)
    shutil.rmtree(project.folder / ".outlook-emulator")
    status, out, errors = say("connections", "restore", MAIN)

    hint = "git hides connections.json: `git update-index --no-skip-worktree connections.json` ends this"
    assert (1, "", True) == (status, out, "is not patched, or its backup is gone" in errors and hint in errors)
    subprocess.run(["git", "update-index", "--no-skip-worktree", MAIN], check=True)
    subprocess.run(["git", "checkout", "-q", MAIN], check=True)
    assert (1, 0) == (say("connections", "status", MAIN)[0], say("connections", "patch", MAIN)[0])


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_damaged_originals(project: Repository, say: Callable[..., Any], content: bytes | None) -> None:
    """If originals are missing or damaged, the record is enough to restore the same bytes."""
    before = project.everything()
    say("connections", "patch", MAIN)
    for original in (project.folder / ".outlook-emulator").glob("*.json"):
        original.unlink()
        if content is not None:
            original.write_bytes(content)

    assert (0, "") == say("connections", "restore", MAIN)[::2]
    assert (before, "") == (project.everything(), project.state())


def test_damaged_record(project: Repository, say: Callable[..., Any]) -> None:
    """A damaged record is named, together with the folder that has the originals; nothing changes."""
    before = (project.folder / MAIN).read_bytes()
    say("connections", "patch", MAIN)
    (project.folder / ".outlook-emulator/connections.json.record").write_text('{"files": ')
    state = project.everything()

    for action in (["restore"], ["patch", "--url", OTHER], ["status"]):
        status, _, errors = say("connections", *action, MAIN)
        assert (1, True) == (status, "is not a valid record of a patch; the originals are in " in errors)
    assert state == project.everything()
    assert before == (project.folder / ".outlook-emulator/connections.json.0.connections.json").read_bytes()


def test_read_only_files(project: Repository, say: Callable[..., Any]) -> None:
    """Read-only files are patched and restored, and stay read-only."""
    for name in (MAIN, SETTINGS):
        (project.folder / name).chmod(0o444)
    before = project.everything()

    for action in ("patch", "restore"):
        assert (0, "") == say("connections", action, MAIN)[::2]
        assert {0o444} == {(project.folder / name).stat().st_mode & 0o777 for name in (MAIN, SETTINGS)}
    assert (before, "") == (project.everything(), project.state())


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser can write to any folder")
def test_read_only_folder(project: Repository, say: Callable[..., Any]) -> None:
    """In a read-only folder nothing changes, and the error says what cannot be written."""
    before = project.everything()
    project.folder.chmod(0o555)
    status, _, errors = say("connections", "patch", MAIN)
    project.folder.chmod(0o755)

    assert (1, True) == (status, "cannot write" in errors and "Permission denied" in errors)
    assert (before, "") == (project.everything(), project.state())


@pytest.mark.slow
def test_several_processes_at_once(project: Repository, say: Callable[..., Any]) -> None:
    """Patches at the same time leave one of them whole, and a restore returns the original bytes."""
    before, flags = project.everything(), project.flags()
    urls = [f"http://127.0.0.1:{port}" for port in range(1001, 1007)]
    processes = [
        subprocess.Popen(command("connections", "patch", MAIN, "--url", url), stdout=subprocess.DEVNULL) for url in urls
    ]
    assert [0] * len(urls) == [process.wait(60) for process in processes]

    (winner,) = {url for url in urls if say("connections", "status", MAIN, "--url", url)[0] == 0}
    assert [winner + PATH, ""] == [read(project.folder / SETTINGS)["Values"]["url"], project.state()]
    assert 0 == say("connections", "restore", MAIN)[0]
    assert (before, "", flags) == (project.everything(), project.state(), project.flags())


@pytest.mark.slow
def test_patch_and_restore_at_once(project: Repository, say: Callable[..., Any]) -> None:
    """Patches and restores at the same time leave the project patched or restored, never in between."""
    before, flags = project.everything(), project.flags()
    say("connections", "patch", MAIN)
    processes = [
        subprocess.Popen(command("connections", action, MAIN), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for action in ("patch", "restore") * 3
    ]
    for process in processes:
        process.wait(60)

    assert "" == project.state()
    if say("connections", "status", MAIN)[0] == 0:
        assert 0 == say("connections", "restore", MAIN)[0]
    assert (before, "", flags) == (project.everything(), project.state(), project.flags())
