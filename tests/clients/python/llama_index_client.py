"""PyPI's llama-index, through its class for servers that speak OpenAI's language."""

import asyncio

import openai
from common import *
from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

AT = {"api_base": URL, "api_key": KEY}


def llm(**options):
    return OpenAILike(
        **{
            "model": MODEL,
            "is_chat_model": True,
            "context_window": CONTEXT,
            "temperature": 0,
            "max_retries": 0,
            **AT,
            **options,
        }
    )


def plain():
    messages = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=QUESTION)]
    answer = llm().chat(messages)
    assert_answer(answer.message.content)
    assert_answer(
        llm()
        .chat([*messages, answer.message, ChatMessage(role="user", content="And 1 + 1?")])
        .message.content
    )
    assert_answer(llm(is_chat_model=False, max_tokens=3).complete("Once").text)


def streamed():
    messages = [ChatMessage(role="user", content=QUESTION)]
    whole = llm().chat(messages).message.content
    assert "".join(chunk.delta or "" for chunk in llm().stream_chat(messages)) == whole


def endless(**options):
    more = {"n": ENDLESS_N, "extra_body": ENDLESS}
    return llm(max_tokens=ENDLESS_TOKENS, additional_kwargs=more, **options)


def abort_plain():
    with Stopped():
        raises(
            openai.APITimeoutError,
            lambda: endless(timeout=impatience()).chat([ChatMessage(role="user", content=QUESTION)]),
        )


def abort_streamed():
    with Stopped():
        stream = endless().stream_chat([ChatMessage(role="user", content=QUESTION)])
        next(stream)
        stream.close()


def embeddings():
    embedder = OpenAILikeEmbedding(model_name=MODEL, **AT)
    one, two = embedder.get_text_embedding_batch(["a lamp", "a ship"])
    assert len(one) == len(two) > 0 and one != two


def errors():
    assert_too_long(raises(openai.BadRequestError, lambda: llm().complete(TOO_LONG)))
    raises(openai.AuthenticationError, lambda: llm(api_key="another-key").complete(QUESTION))


async def concurrency():
    calls = [llm(max_retries=5).acomplete(QUESTION) for _ in range(CONCURRENCY)]
    assert len({answer.text for answer in await asyncio.gather(*calls)}) == 1


asyncio.run(checks(plain, streamed, abort_plain, abort_streamed, embeddings, errors, concurrency))
