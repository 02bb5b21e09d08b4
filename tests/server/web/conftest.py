"""The stage of the tests of pages."""

from __future__ import annotations

import pytest

from tests.conftest import Sandbox
from tests.server.web.forms import Visitor
from tests.server.web.stage import Stage, staged


@pytest.fixture
def stage(sandbox: Sandbox) -> Stage:
    """A sandbox with something on each page."""
    return staged(sandbox)


@pytest.fixture
def web(sandbox: Sandbox) -> Visitor:
    """A visitor of the pages of the sandbox, without a browser."""
    return Visitor(sandbox.server.http, sandbox.name)
