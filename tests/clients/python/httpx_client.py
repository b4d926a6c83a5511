"""PyPI's httpx without a library in between, over HTTP/1.1 and HTTP/2 with prior knowledge."""

import asyncio
import json

import httpx
from common import *

HEADERS = {"Authorization": "Bearer " + KEY}
JSON = {"Content-Type": "application/json"}
CHAT = URL + "/chat/completions"
BODY = {"model": MODEL, "messages": MESSAGES, "temperature": 0}
LONG = {**BODY, **ENDLESS, "n": ENDLESS_N, "max_tokens": ENDLESS_TOKENS}

client = httpx.Client(headers=HEADERS, timeout=60)


def content(response):
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


def plain():
    assert_answer(content(client.post(CHAT, json=BODY)))
    for path in ("/health", "/livez", "/readyz", "/v1/models", "/models"):
        response = client.get(BASE + path)
        assert response.status_code == 200, f"GET {path}: {response.status_code} {response.text[:100]}"
    for header in ("x-api-key", "api-key"):
        response = httpx.get(URL + "/models", headers={header: KEY})
        assert response.status_code == 200, f"{header}: {response.status_code}"


def streamed():
    whole, text = content(client.post(CHAT, json=BODY)), ""
    with client.stream("POST", CHAT, json={**BODY, "stream": True}) as response:
        lines = [line for line in response.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    for line in lines[:-1]:
        text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
    assert text == whole


def http_2():
    with httpx.Client(headers=HEADERS, http1=False, http2=True, timeout=60) as second:
        response = second.post(CHAT, json=BODY)
        assert_answer(content(response))
        assert response.http_version == "HTTP/2"


def abort_plain():
    with Stopped():
        raises(httpx.ReadTimeout, lambda: httpx.post(CHAT, json=LONG, headers=HEADERS, timeout=impatience()))


def abort_streamed():
    with Stopped():
        with client.stream("POST", CHAT, json={**LONG, "stream": True}) as response:
            next(response.iter_lines())


def embeddings():
    response = client.post(URL + "/embeddings", json={"model": MODEL, "input": ["a lamp", "a ship"]})
    assert len(response.json()["data"]) == 2, response.text


def errors():
    long = client.post(CHAT, json={**BODY, "messages": [{"role": "user", "content": TOO_LONG}]})
    assert long.status_code == 400 and long.json()["error"]["code"] == "context_length_exceeded", long.text
    status = {
        "another key": (httpx.post(CHAT, json=BODY, headers={"Authorization": "Bearer another-key"}), 401),
        "half a body": (client.post(CHAT, content=b'{"model": ', headers=JSON), 400),
        # Well within the time after which a client would give up.
        "5 MB": (client.post(CHAT, content=b'"' + b"x" * 5_000_000 + b'"', headers=JSON, timeout=5), 413),
    }
    for name, (response, wanted) in status.items():
        assert response.status_code == wanted, f"{name}: {response.status_code} {response.text[:100]}"


async def concurrency():
    async with httpx.AsyncClient(headers=HEADERS, timeout=60) as several:
        answers = await asyncio.gather(*(several.post(CHAT, json=BODY) for _ in range(CONCURRENCY)))
    assert len({content(answer) for answer in answers}) == 1


asyncio.run(checks(plain, streamed, http_2, abort_plain, abort_streamed, embeddings, errors, concurrency))
