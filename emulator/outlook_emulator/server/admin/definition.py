"""The admin operations that describe the connector and the admin API itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.operations.coverage import coverage
from outlook_emulator.sandbox.aside import aside
from outlook_emulator.server.admin import shapes
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest


def rows(others: Iterable[AdminOperation], root: str) -> tuple[AdminOperation, ...]:
    """The operations of this module; the OpenAPI document describes them and the `others`, below the path `root`."""

    def describe() -> Any:
        from outlook_emulator.server.admin.openapi import openapi

        return openapi([*others, *described], root)

    async def get_openapi(request: AdminRequest) -> Any:
        return await aside(describe)

    described = (
        AdminOperation(
            id="ListOperations",
            method="GET",
            path="/operations",
            summary="List the operations of the connector",
            handler=list_operations,
            returns=shapes.Coverage,
        ),
        AdminOperation(
            id="GetSwagger",
            method="GET",
            path="/swagger.json",
            summary="Get the Swagger 2.0 document of the connector",
            handler=get_swagger,
        ),
        AdminOperation(
            id="GetOpenApi",
            method="GET",
            path="/openapi.json",
            summary="Get the OpenAPI 3.1 document of this API",
            handler=get_openapi,
        ),
    )
    return described


def list_operations(request: AdminRequest) -> shapes.Coverage:
    return {"value": coverage(OPERATIONS)}


async def get_swagger(request: AdminRequest) -> Any:
    return await aside(_swagger)


def _swagger() -> Any:
    from outlook_emulator.server.connector.swagger import swagger

    return swagger(OPERATIONS)
