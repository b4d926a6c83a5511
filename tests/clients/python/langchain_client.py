"""PyPI's langchain-openai."""

import asyncio

import openai
from common import *
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from shapes import *

AT = {"model": MODEL, "base_url": URL, "api_key": KEY}
chat = ChatOpenAI(temperature=0, max_retries=0, **AT)


def plain():
    answer = chat.invoke(QUESTION)
    assert_answer(answer.content)
    assert answer.usage_metadata["output_tokens"] > 0
    history = [
        SystemMessage("Be brief."),
        HumanMessage(QUESTION, name="ada"),
        AIMessage(answer.content),
        HumanMessage("And 1 + 1?"),
    ]
    assert_answer(chat.invoke(history).content)
    assert_answer(OpenAI(max_tokens=3, **AT).invoke("Once"))


def streamed():
    whole = chat.invoke(QUESTION).content
    chunks = list(ChatOpenAI(temperature=0, stream_usage=True, **AT).stream(QUESTION))
    assert "".join(chunk.content for chunk in chunks) == whole
    assert any(chunk.usage_metadata for chunk in chunks), "no usage in the stream"


def endless(**options):
    return ChatOpenAI(
        max_retries=0, n=ENDLESS_N, max_tokens=ENDLESS_TOKENS, extra_body=ENDLESS, **AT, **options
    )


def abort_plain():
    with Stopped():
        raises(openai.APITimeoutError, lambda: endless(timeout=impatience()).invoke(QUESTION))


def abort_streamed():
    with Stopped():
        stream = endless().stream(QUESTION)
        next(stream)
        stream.close()


def embeddings():
    # Without this it counts tokens with OpenAI's vocabulary, which it would have to download, and sends them instead of text.
    embedder = OpenAIEmbeddings(check_embedding_ctx_length=False, **AT)
    one, two = embedder.embed_documents(["a lamp", "a ship"])
    assert len(one) == len(embedder.embed_query("a lamp")) and one != two


def objects():
    for method in ["json_schema", "function_calling"]:
        shaped = chat.with_structured_output(Person, method=method)
        assert_person(shaped.invoke(PEOPLE))
    assert_person(list(chat.with_structured_output(Person).stream(PEOPLE))[-1])


def tools():
    @tool(args_schema=Add)
    def add(a, b):
        """Adds two numbers."""
        return a + b

    bound = chat.bind_tools([add], tool_choice="add", parallel_tool_calls=False)
    answer = bound.invoke(QUESTION)
    assert_sum(answer.tool_calls[0]["args"])
    result = add.invoke(answer.tool_calls[0])
    assert isinstance(chat.invoke([HumanMessage(QUESTION), answer, result], max_tokens=30).content, str)
    whole = None
    for chunk in bound.stream(QUESTION):
        whole = chunk if whole is None else whole + chunk
    assert_sum(whole.tool_calls[0]["args"])


def errors():
    raises(ContextOverflowError, lambda: chat.invoke(TOO_LONG))
    raises(
        openai.AuthenticationError, lambda: ChatOpenAI(**{**AT, "api_key": "another-key"}).invoke(QUESTION)
    )


async def concurrency():
    answers = await ChatOpenAI(temperature=0, max_retries=5, **AT).abatch([QUESTION] * CONCURRENCY)
    assert len({answer.content for answer in answers}) == 1


asyncio.run(checks(plain, streamed, objects, tools, abort_plain, abort_streamed, embeddings, errors, concurrency))
