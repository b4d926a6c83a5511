"""PyPI's litellm, with its providers "openai" and "hosted_vllm"."""

import asyncio

import litellm
from common import *

litellm.suppress_debug_info = True
AT = {"api_base": URL, "api_key": KEY, "num_retries": 0, "max_retries": 0}
NAME = "openai/" + MODEL


def plain():
    for name in (NAME, "hosted_vllm/" + MODEL):
        answer = litellm.completion(model=name, messages=MESSAGES, temperature=0, **AT)
        assert_answer(answer.choices[0].message.content)
        history = [*MESSAGES, answer.choices[0].message, {"role": "user", "content": "And 1 + 1?"}]
        assert_answer(litellm.completion(model=name, messages=history, **AT).choices[0].message.content)
    text = litellm.text_completion(model="text-completion-openai/" + MODEL, prompt="Once", max_tokens=3, **AT)
    assert_answer(text.choices[0].text)


def streamed():
    whole = litellm.completion(model=NAME, messages=MESSAGES, temperature=0, **AT).choices[0].message.content
    chunks = list(
        litellm.completion(
            model=NAME,
            messages=MESSAGES,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            **AT
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert any(getattr(chunk, "usage", None) for chunk in chunks), "no usage in the stream"


def abort_plain():
    with Stopped():
        raises(
            litellm.Timeout,
            lambda: litellm.completion(
                model=NAME,
                messages=MESSAGES,
                n=ENDLESS_N,
                max_tokens=ENDLESS_TOKENS,
                extra_body=ENDLESS,
                timeout=impatience(),
                **AT
            ),
        )


async def abort_streamed():
    async with Stopped():
        stream = await litellm.acompletion(
            model=NAME,
            messages=MESSAGES,
            n=ENDLESS_N,
            max_tokens=ENDLESS_TOKENS,
            extra_body=ENDLESS,
            stream=True,
            **AT
        )
        async for _ in stream:
            break
        await stream.aclose()


def embeddings():
    data = litellm.embedding(model=NAME, input=["a lamp", "a ship"], **AT).data
    assert len(data) == 2 and len(data[0]["embedding"]) > 0


def errors():
    long = [{"role": "user", "content": TOO_LONG}]
    raises(litellm.ContextWindowExceededError, lambda: litellm.completion(model=NAME, messages=long, **AT))
    raises(
        litellm.AuthenticationError,
        lambda: litellm.completion(model=NAME, messages=MESSAGES, **{**AT, "api_key": "another-key"}),
    )


async def concurrency():
    calls = [
        litellm.acompletion(model=NAME, messages=MESSAGES, temperature=0, **{**AT, "num_retries": 5})
        for _ in range(CONCURRENCY)
    ]
    texts = {answer.choices[0].message.content for answer in await asyncio.gather(*calls)}
    assert len(texts) == 1, texts


asyncio.run(checks(plain, streamed, abort_plain, abort_streamed, embeddings, errors, concurrency))
