import pytest
from function_app import app
from functions_host import running


@pytest.fixture(scope="session")
def function_url():
    """The URL of the function; the app can be loaded once only."""
    with running(app) as url:
        yield f"{url}OnNewEmail"


@pytest.fixture
def trigger(outlook, outlook_environment, function_url):
    """Registers the function at the connection, as a connector namespace does."""
    properties = {
        "operationName": "OnNewEmailV2",
        "splitOn": True,
        "notificationDetails": {"callbackUrl": function_url},
        "parameters": [{"name": "folderPath", "value": "Inbox"}],
    }
    path = f"/connections/{outlook.id}/triggerConfigs/new-mail"
    outlook.sandbox.admin.request("PUT", path, json={"properties": properties})
