"""A stand-in for the Functions host: it passes requests to the connector webhook on to the app's functions."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import azure.functions as func


@contextmanager
def running(app: func.FunctionApp) -> Iterator[str]:
    """Serve the functions of an app; yields the URL that a trigger calls, without the name of the function."""
    functions = {function.get_function_name(): function.get_user_function() for function in app.get_functions()}

    class Host(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (name,) = parse_qs(urlsplit(self.path).query)["functionName"]
            payload = self.rfile.read(int(self.headers["Content-Length"])).decode()
            try:
                asyncio.run(functions[name](payload))
                self.send_response(200)
            except Exception:
                # As the host does, so that the caller tries again.
                self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/runtime/webhooks/connector?functionName="
        finally:
            server.shutdown()
            thread.join()
