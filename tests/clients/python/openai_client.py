"""PyPI's openai: the client that most others are built on."""

import asyncio

import openai
from common import *
from shapes import *

client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0)
patient = openai.AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=5)
create = client.chat.completions.create


def plain():
    answer = create(model=MODEL, messages=MESSAGES, temperature=0)
    assert_answer(answer.choices[0].message.content)
    assert answer.usage.completion_tokens > 0
    text = client.completions.create(model=MODEL, prompt="Once", max_tokens=3, logprobs=2)
    assert len(text.choices[0].logprobs.tokens) == 3
    # What a client got, it sends again: every field, null or not.
    history = [*MESSAGES, answer.choices[0].message.model_dump(), {"role": "user", "content": "And 1 + 1?"}]
    assert_answer(create(model=MODEL, messages=history, temperature=0).choices[0].message.content)


def streamed():
    whole = create(model=MODEL, messages=MESSAGES, temperature=0).choices[0].message.content
    chunks = list(
        create(
            model=MODEL, messages=MESSAGES, temperature=0, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert chunks[-1].usage.completion_tokens > 0
    with client.chat.completions.stream(model=MODEL, messages=MESSAGES, temperature=0) as stream:
        assert stream.get_final_completion().choices[0].message.content == whole


def options():
    """Fields that clients send with their defaults, or for servers of other makes."""
    create(
        model=MODEL,
        messages=[{"role": "user", "name": "ada", "content": "Hi"}],
        max_completion_tokens=4,
        tools=[],
        tool_choice="none",
        seed=-1,
        store=False,
        metadata={"from": "test"},
        service_tier="auto",
        reasoning_effort="low",
        extra_body={"top_k": -1, "repetition_penalty": 1.05, "min_tokens": 1, "skip_special_tokens": True},
    )


def abort_streamed():
    with Stopped():
        stream = create(
            model=MODEL,
            messages=MESSAGES,
            n=ENDLESS_N,
            max_tokens=ENDLESS_TOKENS,
            extra_body=ENDLESS,
            stream=True,
        )
        for _ in stream:
            break
        stream.close()


def abort_plain():
    with Stopped():
        impatient = client.with_options(timeout=impatience())
        raises(
            openai.APITimeoutError,
            lambda: impatient.chat.completions.create(
                model=MODEL, messages=MESSAGES, n=ENDLESS_N, max_tokens=ENDLESS_TOKENS, extra_body=ENDLESS
            ),
        )


def embeddings():
    one, two = client.embeddings.create(model=MODEL, input=["a lamp", "a ship"]).data
    assert len(one.embedding) == len(two.embedding) > 0 and one.embedding != two.embedding


def errors():
    error = raises(
        openai.BadRequestError, lambda: create(model=MODEL, messages=[{"role": "user", "content": TOO_LONG}])
    )
    assert error.code == "context_length_exceeded", error.code
    assert f"maximum context length is {CONTEXT} tokens" in error.message, error.message
    stranger = client.with_options(api_key="another-key")
    raises(openai.AuthenticationError, lambda: stranger.models.list())
    raises(openai.NotFoundError, lambda: create(model="gpt-4o", messages=MESSAGES))
    raises(openai.BadRequestError, lambda: create(model=MODEL, messages=MESSAGES, temperature=9))


def objects():
    parse = client.chat.completions.parse
    assert_person(parse(model=MODEL, messages=ASKED, response_format=Person).choices[0].message.parsed)
    with client.chat.completions.stream(model=MODEL, messages=ASKED, response_format=Person) as stream:
        assert_person(stream.get_final_completion().choices[0].message.parsed)
    assert_person(client.responses.parse(model=MODEL, input=ASKED, text_format=Person).output_parsed)
    with client.responses.stream(model=MODEL, input=ASKED, text_format=Person) as stream:
        assert any(event.type == "response.output_text.delta" for event in stream)
        assert_person(stream.get_final_response().output_parsed)


def tools():
    once = {"tool_choice": "required", "parallel_tool_calls": False}
    tool = openai.pydantic_function_tool(Add)
    answer = client.chat.completions.parse(model=MODEL, messages=QUESTIONS, tools=[tool], **once)
    message = answer.choices[0].message
    assert isinstance(message.tool_calls[0].function.parsed_arguments, Add)
    # What it gave, with a result, goes back as it is.
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "42"}
    history = [*QUESTIONS, message.model_dump(), result]
    assert_answer(create(model=MODEL, messages=history, max_tokens=30).choices[0].message.content)
    add = {"type": "function", "name": "Add", "parameters": Add.model_json_schema()}
    with client.responses.stream(model=MODEL, input=QUESTIONS, tools=[add], **once) as stream:
        deltas = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
        call = stream.get_final_response().output[0]
    assert "".join(deltas) == call.arguments
    assert_sum(json.loads(call.arguments))


async def concurrency():
    calls = [
        patient.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0)
        for _ in range(CONCURRENCY)
    ]
    texts = {answer.choices[0].message.content for answer in await asyncio.gather(*calls)}
    assert len(texts) == 1, texts


asyncio.run(
    checks(
        plain,
        streamed,
        options,
        objects,
        tools,
        abort_plain,
        abort_streamed,
        embeddings,
        errors,
        concurrency,
    )
)
