"""HTTP to Cloudflare's cloud: asked again when that is safe and of use, and within the API's rate.

The documented limit is 1,200 API requests in 5 minutes for a user; past it, everything is refused for 5 minutes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx

from reservation_cli.errors import NotConfiguredError
from reservation_cli.platforms.cloudflare_answers import TIMEOUT_SECONDS, retry_after
from reservation_cli.platforms.cloudflare_connection import options, proxy_of
from reservation_cli.platforms.pace import Pace

API_BASE_URL = "https://api.cloudflare.com/client/v4"

#: 200 + 300 s * 3 = 1,100 calls at most in any 5 minutes.
API_BURST, API_PER_SECOND = 200, 3.0
#: One pace for all that this process asks of an API, by its address: the limit is a user's.
_PACES: dict[str, Pace] = {}

#: What is sent twice does no harm: reading, deleting, and the Worker's POSTs, which are idempotent by reservation id.
_BUSY = frozenset({429, 502, 503, 504})
_CUT = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
_NOTICEABLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often something is asked: `tries` times of `each` seconds, and for `seconds` in all.

    The first pause between them is of `pause` seconds, the next twice as long. A Retry-After (in seconds) is
    honoured, unless it is longer than the time that is left: then the answer stands.
    """

    tries: int = 4
    each: float = TIMEOUT_SECONDS
    pause: float = 0.3
    seconds: float = 30.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def after(self, made: int, elapsed: float, asked: float | None = None) -> float | None:
        """Seconds to wait before the next try, `made` tries and `elapsed` seconds on; None to let it be.

        `asked` is the Retry-After.
        """
        if made >= self.tries:
            return None
        # Spread by chance, so that those who were refused together don't come back together.
        pause = self.pause * 2 ** (made - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        pause = max(pause, asked or 0.0)
        return pause if elapsed + pause <= self.seconds else None


class CloudHttp(httpx.Client):
    """An httpx client of one base URL, with retries, a bearer token ("" for none) and a pace.

    The retries are here and not in a transport: a connection is cut as well while the body is read.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        environ: Mapping[str, str],
        progress: Callable[[str], None],
        retries: Retries | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`progress` is told of waits that would look like a hang. From `environ` come proxies and certificates.

        Raises NotConfiguredError for those of them that cannot be used.
        """
        retries = retries or Retries()
        super().__init__(
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=retries.each,
            **options(base_url, environ, secret=bool(token)),
        )
        self._retries = retries
        self._pace = pace
        self._progress = progress
        self._proxy = proxy_of(base_url, environ)
        self._held_back = 0.0

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See httpx.Client.send; raises what the last try raised."""
        request.extensions = {**request.extensions, "proxy": self._proxy}  # for who tells of an error
        begun = self._retries.clock()
        for made in count(1):
            if self._pace is not None:
                self._pace.wait(self._hold_back)
            response = None
            try:
                response = super().send(request, **options)
            except _CUT:
                pause = self._retries.after(made, self._retries.clock() - begun)
                if pause is None:
                    raise
            else:
                if not _passes(request.method, response.status_code):
                    return response
                pause = self._retries.after(made, self._retries.clock() - begun, retry_after(response))
                if pause is None:
                    return response
                response.close()
            if pause > _NOTICEABLE_SECONDS:
                self._progress(f"Cloudflare asks for patience; trying again in {pause:.0f} s…")
            self._retries.sleep(pause)
        raise AssertionError("count() has no end")

    def _hold_back(self, seconds: float) -> None:
        """Told once, when the waits come to something: several threads may each wait just a little."""
        before, self._held_back = self._held_back, self._held_back + seconds
        if before <= _NOTICEABLE_SECONDS < self._held_back:
            self._progress("Going on slowly: Cloudflare allows 1,200 API calls in 5 minutes…")


def api(
    path: str,
    token: str,
    environ: Mapping[str, str],
    progress: Callable[[str], None],
    retries: Retries | None = None,
    pace: Pace | None = None,
) -> CloudHttp:
    """The REST API from `path` on, at its pace. CLOUDFLARE_API_BASE_URL of `environ` stands for its address."""
    base = (environ.get("CLOUDFLARE_API_BASE_URL") or API_BASE_URL).rstrip("/")
    pace = pace or _PACES.setdefault(base, Pace(API_BURST, API_PER_SECOND))
    return CloudHttp(f"{base}{path}", token, environ, progress, retries, pace)


def api_token(environ: Mapping[str, str]) -> str:
    """CLOUDFLARE_API_TOKEN of `environ`; "" without one. Raises as checked_token does."""
    return checked_token(environ.get("CLOUDFLARE_API_TOKEN", ""), "CLOUDFLARE_API_TOKEN")


def checked_token(token: str, name: str) -> str:
    """`token` without white space around it; NotConfiguredError when it can't stand in a header.

    httpx would refuse it too, but quote it.
    """
    token = token.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise NotConfiguredError(
            f"{name} has a character in it that no token has.", hint="Copy it again.", code="credentials"
        )
    return token


def _passes(method: str, status: int) -> bool:
    """Whether the same question may have another answer in a moment."""
    return status in _BUSY or (method == "GET" and status >= 500)
