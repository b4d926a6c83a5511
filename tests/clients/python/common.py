"""What the programs of all clients share: where the server is, and how they tell what worked.

Each check prints one line of JSON: {"check": "streamed", "ok": true, "detail": ""}.
"""

import asyncio
import functools
import inspect
import json
import os
import time
import traceback
import urllib.request

BASE = os.environ["KUMI_URL"]
URL = BASE + "/v1"
KEY = os.environ["KUMI_KEY"]
MODEL = os.environ["KUMI_MODEL"]
CONTEXT = int(os.environ["KUMI_CONTEXT"])

QUESTION = "What is 17 + 25?"
MESSAGES = [{"role": "user", "content": QUESTION}]
TOO_LONG = "again and " * CONTEXT
CONCURRENCY = 16

# Many answers of a request that nobody waits for: long enough to see whether the server goes on.
ENDLESS_N = 8
ENDLESS_TOKENS = CONTEXT - 64
# 8 KB, which servers get in pieces, the body behind the headers: a client that leaves then is noticed in another way.
ENDLESS = {"ignore_eos": True, "metadata": {f"filler_{i}": "x" * 500 for i in range(16)}}


def report(name, ok, detail=""):
    print(json.dumps({"check": name, "ok": ok, "detail": detail}), flush=True)


async def attempt(function, tries=4):
    """Runs a check; one whose client left too late is tried again, with less patience."""
    global haste
    try:
        # A client may want a loop of its own.
        return await (function() if inspect.iscoroutinefunction(function) else asyncio.to_thread(function))
    except TooLate:
        if tries == 1:
            raise
        haste *= 2
        return await attempt(function, tries - 1)


async def checks(*functions):
    """Runs checks one after another; a check's name is its function's. One that raises has failed, with its last words."""
    for function in functions:
        name = function.__name__.replace("_", " ")
        try:
            result = await attempt(function)
            report(name, True, result or "")
        except BaseException as error:  # a client may end itself, too
            if isinstance(error, KeyboardInterrupt):
                raise
            if os.environ.get("KUMI_TRACE"):
                traceback.print_exc()
            text = str(error).strip().split("\n")[0]
            report(name, False, f"{type(error).__name__}: {text}"[:300])


def computed_tokens():
    """Tokens that the server has computed so far, and the requests that it works on now."""
    request = urllib.request.Request(BASE + "/metrics", headers={"Authorization": "Bearer " + KEY})
    with urllib.request.urlopen(request) as response:
        lines = response.read().decode().split("\n")

    def total(name):
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))

    return total("kumi:computed_tokens_total"), total("vllm:num_requests_running")


@functools.cache
def whole_seconds():
    body = {
        "model": MODEL,
        "messages": MESSAGES,
        "n": ENDLESS_N,
        "max_tokens": ENDLESS_TOKENS,
        "ignore_eos": True,
    }
    headers = {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"}
    request = urllib.request.Request(URL + "/chat/completions", json.dumps(body).encode(), headers)
    start = time.monotonic()
    urllib.request.urlopen(request).read()
    return time.monotonic() - start


class TooLate(Exception):
    """The client left when there was little left to compute."""


haste = 4


def impatience():
    """Seconds after which a client leaves: a part of what the whole request takes here."""
    return whole_seconds() / haste


class Stopped:
    """`with Stopped():` leave a request of so many answers, ENDLESS_TOKENS long; then hardly one may be computed any more, and
    the server must become idle."""

    def __enter__(self):
        whole_seconds()
        self.before, _ = computed_tokens()
        return self

    def __init__(self, answers=ENDLESS_N):
        self.whole = answers * ENDLESS_TOKENS

    async def __aenter__(self):
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *error):
        # The client closes its connection on the loop that would wait here.
        await asyncio.to_thread(self.__exit__, *error)

    def __exit__(self, kind, error, trace):
        if kind is not None:
            return
        left, _ = computed_tokens()
        assert left > self.before, "the request had not begun when it was left"
        if left - self.before > 0.7 * self.whole:
            raise TooLate("there was little left to compute")
        deadline = time.monotonic() + 60
        while computed_tokens()[1] > 0:
            assert time.monotonic() < deadline, "the request is still being computed after 60 s"
            time.sleep(0.02)
        more = computed_tokens()[0] - left
        assert (
            more < 0.2 * self.whole
        ), f"{more:.0f} of {self.whole} tokens were computed after the client had left"


def wait_until_running():
    """Until the server works on something."""
    deadline = time.monotonic() + 30
    while computed_tokens()[1] == 0:
        assert time.monotonic() < deadline, "no request arrived"
        time.sleep(0.005)


def assert_answer(text):
    assert isinstance(text, str) and len(text) > 0, f"the answer is {text!r}"


def assert_too_long(error):
    text = str(error)
    assert "context" in text and str(CONTEXT) in text, f"not recognized as too long: {text[:200]}"


def raises(kind, function):
    """The error of a call that must fail with this type."""
    try:
        function()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


async def raises_async(kind, promise):
    try:
        await promise
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")
