"""PyPI's anthropic, with /v1/messages."""

import asyncio

import anthropic
from common import *
from shapes import *

client = anthropic.Anthropic(base_url=BASE, api_key=KEY, max_retries=0)
patient = anthropic.AsyncAnthropic(base_url=BASE, api_key=KEY, max_retries=5)
AT = {"model": MODEL, "max_tokens": 100}
# Its own parameter of this name is gone.
COLD = {**AT, "extra_body": {"temperature": 0}}
ONCE = {"disable_parallel_tool_use": True}


def plain():
    answer = client.messages.create(messages=MESSAGES, **COLD)
    assert_answer(answer.content[0].text)
    assert answer.usage.output_tokens > 0
    history = [*MESSAGES, {"role": "assistant", "content": answer.content}, {"role": "user", "content": "And 1 + 1?"}]
    assert_answer(client.messages.create(messages=history, **AT).content[0].text)
    assert client.messages.count_tokens(model=MODEL, messages=MESSAGES).input_tokens > 5


def streamed():
    whole = client.messages.create(messages=MESSAGES, **COLD).content[0].text
    with client.messages.stream(messages=MESSAGES, **COLD) as stream:
        assert "".join(stream.text_stream) == whole


def tools():
    seen = []

    @anthropic.beta_tool
    def add(a: int, b: int) -> str:
        """Adds two numbers.

        Args:
            a: The first one.
            b: The second one.
        """
        seen.append((a, b))
        return str(a + b)

    choice = {"type": "tool", "name": "add", **ONCE}
    runner = client.beta.messages.tool_runner(
        messages=QUESTIONS, tools=[add], tool_choice=choice, max_iterations=2, **AT
    )
    assert len(list(runner)) == 2 and len(seen) >= 1
    tool = {"name": "Add", "input_schema": Add.model_json_schema()}
    with client.messages.stream(
        messages=QUESTIONS, tools=[tool], tool_choice={"type": "any", **ONCE}, **AT
    ) as stream:
        parts = [event.partial_json for event in stream if event.type == "input_json"]
        block = stream.get_final_message().content[0]
    assert json.loads("".join(parts)) == block.input
    assert_sum(block.input)


def errors():
    raises(anthropic.BadRequestError, lambda: client.messages.create(messages=[{"role": "user", "content": TOO_LONG}], **AT))
    stranger = client.with_options(api_key="another-key")
    raises(anthropic.AuthenticationError, lambda: stranger.messages.create(messages=MESSAGES, **AT))
    raises(anthropic.NotFoundError, lambda: client.messages.create(messages=MESSAGES, **{**AT, "model": "claude"}))


async def concurrency():
    calls = [patient.messages.create(messages=MESSAGES, **COLD) for _ in range(CONCURRENCY)]
    assert len({answer.content[0].text for answer in await asyncio.gather(*calls)}) == 1


asyncio.run(checks(plain, streamed, tools, errors, concurrency))
