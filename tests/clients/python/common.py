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


async def checks(*functions):
    """Runs checks one after another; a check's name is its function's. One that raises has failed, with its last words."""
    for function in functions:
        name = function.__name__.replace("_", " ")
        try:
            if inspect.iscoroutinefunction(function):
                result = await function()
            else:  # a client may want a loop of its own
                result = await asyncio.to_thread(function)
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
def impatience():
    """Seconds after which a client leaves: a quarter of what the whole request takes here."""
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
    return (time.monotonic() - start) / 4


class Stopped:
    """`with Stopped():` leave a request that would compute ENDLESS_N * ENDLESS_TOKENS tokens; at the end most of them must not have been
    computed, and the server must be idle."""

    def __enter__(self):
        impatience()
        self.before, _ = computed_tokens()
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            return
        deadline = time.monotonic() + 60
        while computed_tokens()[1] > 0:
            assert time.monotonic() < deadline, "the request is still being computed after 60 s"
            time.sleep(0.02)
        used = computed_tokens()[0] - self.before
        whole = ENDLESS_N * ENDLESS_TOKENS
        assert used > 0, "the request had not begun when it was left"
        assert used < 0.6 * whole, f"{used:.0f} of {whole} tokens were computed after the client had left"


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
