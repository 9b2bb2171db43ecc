"""The HTTP front: keep-alive connections on 127.0.0.1, one thread each."""

from __future__ import annotations

import logging
import re
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from aws_durable_execution_sdk_python_testing.exceptions import (
    IllegalArgumentException,
    InvalidParameterValueException,
    ResourceNotFoundException,
)

from reservation_cli.local.aws_engine.errors import ApiError, invalid_parameter, not_found
from reservation_cli.local.aws_engine.wire import Request, Response, error_response, json_response, rfc3339

logger = logging.getLogger(__name__)

# Lambda's 6 MB of payload, with room for what is around it.
_LONGEST_BODY = 7 * 1024 * 1024
_MOST_DIGITS = 20
_LOCAL_NAMES = ("127.0.0.1", "localhost")
_LOCAL_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?", re.IGNORECASE)
# What the SDK inside the handler asks for; everything else comes from somebody who uses the endpoint.
_OWN_TRAFFIC = ("checkpoint", "state")


class EngineServer(ThreadingHTTPServer):
    """Serves `handle` on a socket that is listening already."""

    daemon_threads = True

    def __init__(
        self,
        listener: socket.socket,
        handle: Callable[[Request], Response],
        identity: dict[str, str],
        running: Callable[[], int],
    ) -> None:
        super().__init__(listener.getsockname(), RequestHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.handle = handle
        self.identity = identity
        self.running = running
        self.last_request: datetime | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that hangs up in the middle is its own business.
        if not isinstance(sys.exception(), ConnectionError):
            logger.exception("a connection failed")


class RequestHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet, and at once: otherwise a kept connection waits 40 ms for a delayed ACK.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: EngineServer

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        # The base writes to a buffer here, and the client sends nothing until it has seen the answer.
        self.wfile.flush()
        return proceed

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A method and a version of HTTP that are not known here are the caller's mistake, not the server's."""
        super().send_error(code if code < 500 else 400, message, explain)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            response = self._respond()
        except ApiError as error:
            response = error_response(error)
        except (InvalidParameterValueException, IllegalArgumentException) as error:
            response = error_response(invalid_parameter(error.message))
        except ResourceNotFoundException as error:
            response = error_response(not_found(error.Message))
        except Exception as error:
            logger.exception("%s %s", self.command, self.path)
            response = error_response(ApiError(500, "ServiceException", str(error)))
        self.send_response_only(response.status)
        self.send_header("x-amzn-RequestId", str(uuid4()))
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.body)

    def _respond(self) -> Response:
        # First of all, so that a kept connection continues behind the body whatever the answer is.
        body = self._body()
        self._refuse_strangers()
        try:
            url = urlsplit(self.path)
        except ValueError as error:  # an absolute URL with a host that cannot be one
            raise ApiError(400, "InvalidRequestContentException", f"Not a URL: {error}") from error
        segments = tuple(unquote(segment) for segment in url.path.split("/") if segment)
        if self.command == "GET" and segments == ("health",):
            return self._health()
        if segments[-1:] not in [(name,) for name in _OWN_TRAFFIC]:
            self.server.last_request = datetime.now(UTC)
        query = parse_qs(url.query, keep_blank_values=True)
        return self.server.handle(Request(self.command, segments, query, self.headers, body))

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length")
        if "Transfer-Encoding" in self.headers or (length is not None and not length.isdecimal()):
            self.close_connection = True
            raise ApiError(411, "InvalidRequestContentException", "A Content-Length is required")
        # Python makes no number of thousands of digits.
        if length is not None and (len(length) > _MOST_DIGITS or int(length) > _LONGEST_BODY):
            self.close_connection = True
            raise ApiError(413, "RequestTooLargeException", f"The request is larger than {_LONGEST_BODY} bytes")
        body = self.rfile.read(int(length)) if length else b""
        if len(body) < int(length or 0):
            self.close_connection = True
            raise ApiError(400, "InvalidRequestContentException", "The request ended before its body did")
        return body

    def _refuse_strangers(self) -> None:
        """A web page that resolves its own name to 127.0.0.1, or posts across origins, must not reach the engine."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if _LOCAL_HOST.fullmatch(host) is None:
            raise ApiError(403, "AccessDeniedException", "This endpoint answers to 127.0.0.1 and localhost only")
        own = [f"http://{name}:{self.server.server_address[1]}" for name in _LOCAL_NAMES]
        site = self.headers.get("Sec-Fetch-Site", "none")
        if (origin is not None and origin not in own) or site not in ("none", "same-origin"):
            raise ApiError(403, "AccessDeniedException", "This endpoint does not answer web pages")

    def _health(self) -> Response:
        last = self.server.last_request
        return json_response(
            {
                "ok": True,
                **self.server.identity,
                "running": self.server.running(),
                "last_request": None if last is None else rfc3339(last),
            }
        )

    def log_message(self, format: str, *args: object) -> None:  # the base's signature
        logger.debug(format, *args)
