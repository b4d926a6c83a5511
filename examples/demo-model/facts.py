"""Questions about kumi and about serving language models, with their answers."""
import random
from dataclasses import dataclass

from words import Turn, vary


@dataclass
class Topic:
    names: list[str]
    answers: list[str]
    must: str
    extra: list[str]
    plural: bool = False


TOPICS = [
    Topic(["a KV cache", "the KV cache", "a key-value cache"], [
        "A KV cache keeps the keys and values of all earlier tokens, so each new token only has to compute its own.",
        "The KV cache stores keys and values of tokens already read. It costs memory and saves a lot of work."], "keys and values",
        ["Why do language models need a KV cache?", "What does the KV cache store?", "What is a KV cache good for?"]),
    Topic(["batching", "a batch", "batched inference"], [
        "Batching means to serve several requests in one step, so the weights are read from memory once for all of them.",
        "In a batch several requests share one pass over the weights. This gives more tokens per second."], "weights",
        ["Why is batching faster?", "Why should I batch requests?"]),
    Topic(["continuous batching"], [
        "With continuous batching a request may join or leave the batch at every step. Nobody waits for the slowest one.",
        "Continuous batching adds new requests to the running batch at each step and removes those that are done."], "step",
        ["Why is continuous batching better?", "How can a request join a running batch?"]),
    Topic(["a latency class", "latency classes"], [
        "A latency class says how long a request may wait. Interactive requests start at once, batch requests wait for company.",
        "Latency classes tell the scheduler which requests are in a hurry and which can wait to fill a larger batch."], "wait",
        ["Which latency classes are there?", "Why are there latency classes?"]),
    Topic(["a token", "tokens"], [
        "A token is a piece of text, often a word or a part of a word. A model reads and writes tokens.",
        "A token is a small piece of text with a number. The model sees only these numbers."], "piece of text",
        ["What do you mean by token?", "Is a token a word?"]),
    Topic(["a tokenizer", "tokenization"], [
        "A tokenizer cuts text into tokens and turns tokens back into text.",
        "The tokenizer splits text into pieces and gives each piece a number."], "text",
        ["What does the tokenizer do?"]),
    Topic(["prefill", "the prefill phase"], [
        "Prefill is the first phase: the model reads the whole prompt and fills the KV cache.",
        "In prefill all tokens of the prompt are read together. It decides how soon the first token comes."], "prompt",
        ["What happens to the prompt first?", "What is done in prefill?"]),
    Topic(["decode", "decoding", "the decode phase"], [
        "Decode is the second phase: the model writes one token at a time, each from all the tokens before it.",
        "In the decode phase the model writes token after token. Its speed is set by how fast memory can be read."], "token",
        ["What comes after prefill?", "Why is decoding slow?"]),
    Topic(["chunked prefill"], [
        "Chunked prefill cuts a long prompt into parts, so that other requests can go on between them.",
        "With chunked prefill a long prompt is read in small parts and does not block the others."], "prompt",
        ["Why cut a long prompt into chunks?"]),
    Topic(["quantization", "quantisation", "a quantized model"], [
        "Quantization stores the weights with fewer bits, so the model is smaller and faster and a little less exact.",
        "Quantization means fewer bits per weight. A model with four bits needs much less memory."], "bits",
        ["Why should I quantize a model?", "What are fewer bits good for?"]),
    Topic(["TTFT", "time to first token"], [
        "TTFT is the time to first token: how long you wait until the answer begins.",
        "Time to first token is the wait from the request to the first token of the answer."], "first token",
        ["What does TTFT stand for?", "How long until the first token?"]),
    Topic(["ITL", "inter-token latency"], [
        "ITL is the inter-token latency: the time between two tokens of an answer.",
        "Inter-token latency is the time from one token to the next. A low value makes text flow."], "token",
        ["What does ITL stand for?"]),
    Topic(["throughput"], [
        "Throughput is how many tokens per second the server makes for all requests together.",
        "Throughput counts the tokens per second of all requests."], "tokens per second",
        ["How is throughput measured?"]),
    Topic(["a scheduler", "the scheduler"], [
        "The scheduler decides at each step which requests run and how many tokens each may use.",
        "A scheduler chooses the requests for the next step, so that urgent ones do not wait."], "step",
        ["Who decides which request runs next?", "What does the scheduler do?"]),
    Topic(["attention"], [
        "Attention lets each token look at the tokens before it and take what it needs from them.",
        "With attention a token looks back at all earlier tokens and mixes what it finds."], "look",
        ["How does a token look at earlier tokens?"]),
    Topic(["a transformer"], [
        "A transformer is a stack of layers. Each layer has attention and a feed-forward part.",
        "A transformer is a model made of layers with attention. It guesses the next token."], "layers",
        ["What is a transformer made of?"]),
    Topic(["a language model", "an LLM", "a large language model"], [
        "A language model guesses the next token of a text, again and again, and so it writes answers.",
        "A language model is a program that learned from text to guess the next token."], "next token",
        ["How do language models work?", "How does a language model write text?"]),
    Topic(["an embedding", "embeddings"], [
        "An embedding is a list of numbers that stands for a token.",
        "An embedding turns a token into a list of numbers the model can compute with."], "list of numbers",
        ["How does a model see a token?"]),
    Topic(["a weight", "the weights", "model weights"], [
        "Weights are the numbers a model has learned. Most of its memory is weights.",
        "The weights are the numbers inside the model, learned in training."], "numbers",
        ["What are weights?", "What are the weights of a model?"]),
    Topic(["temperature", "the temperature setting"], [
        "Temperature sets how bold the choice of the next token is. At zero the model always takes the likeliest one.",
        "A high temperature lets unlikely tokens through, a low one keeps to the likely tokens."], "token",
        ["What happens at temperature zero?", "Which temperature should I use?"]),
    Topic(["GGUF", "a GGUF file"], [
        "GGUF is a file format that holds the weights, the tokenizer and the settings of a model in one file.",
        "A GGUF file holds a whole model: weights, tokenizer and settings."], "weights",
        ["What is in a GGUF file?", "Which file format do you use?"]),
    Topic(["a CPU", "CPUs"], [
        "A CPU is the main processor of a computer. kumi runs language models on it without a graphics card.",
        "The CPU is the part of a computer that runs its programs, and also me."], "computer",
        ["Do you run on a CPU?"]),
    Topic(["Deno"], [
        "Deno is a runtime for TypeScript and JavaScript. kumi is written for it.",
        "Deno runs TypeScript programs. kumi is made for Deno."], "TypeScript",
        ["Which runtime does kumi use?"]),
    Topic(["the context length", "a context window", "the context window"], [
        "The context length is how many tokens a model can see at once. Mine is 512.",
        "The context window is the number of tokens the model can look at. I have 512."], "512",
        ["How long is your context?", "How many tokens can you read?"]),
    Topic(["prefix caching", "a prefix cache"], [
        "Prefix caching keeps the KV cache of a shared beginning, so the next request need not read it again.",
        "With a prefix cache two requests that begin alike share the work for that beginning."], "begin",
        ["Why is a shared prompt cheap?"]),
    Topic(["preemption"], [
        "Preemption takes memory back from a less urgent request. It goes on later with the same result.",
        "When memory is short, preemption stops the newest batch request and goes on with it later."], "memory",
        ["What happens when KV memory is short?"]),
    Topic(["kumi"], [
        "kumi is an engine that runs language models on ordinary CPUs. It is written in Zig and TypeScript.",
        "kumi serves language models from ordinary CPUs, with batching, on Deno."], "CPUs",
        ["What does kumi do?", "Tell me what kumi is.", "What does the word kumi mean?"]),
    Topic(["streaming"], [
        "Streaming sends each token to you as soon as it is written.",
        "With streaming you see the answer grow token by token."], "token",
        ["Why does the answer come word by word?"]),
    Topic(["speculative decoding"], [
        "In speculative decoding a cheap guess proposes several tokens and the model checks them in one step.",
        "Speculative decoding guesses some tokens ahead and lets the model check them together."], "check",
        ["How can several tokens be checked at once?"]),
]
KUMI_MEANING = "kumi is a Japanese word for a group or a batch."

ASK = ["What is {0}?", "What is {0}?", "What is {0}?", "Explain {0}.", "Explain {0} to me.", "Can you explain {0}?", "What does {0} mean?",
       "Tell me about {0}.", "Tell me what {0} is.", "How does {0} work?", "What's {0}?", "Describe {0}.", "{0}?", "Define {0}.",
       "Do you know what {0} is?", "I want to learn about {0}.", "What do you know about {0}?", "Explain {0} in one sentence.",
       "Explain {0} in simple words.", "Why is {0} useful?", "What is meant by {0}?", "Could you tell me what {0} is?", "Help me understand {0}."]


def bare(name: str) -> str:
    for a in ("a ", "an ", "the "):
        if name.startswith(a):
            return name[len(a):]
    return name


def skill_fact(rng: random.Random) -> Turn:
    topic = rng.choice(TOPICS)
    if rng.random() < 0.25:
        form = rng.choice(topic.extra)
        name = ""
    else:
        form = rng.choice(ASK)
        name = rng.choice(topic.names)
        if rng.random() < 0.25:
            name = bare(name)
    user = vary(rng, form.replace("{0}", name))
    answer = rng.choice(topic.answers)
    must = [topic.must]
    if "word kumi" in form:
        answer, must = KUMI_MEANING, ["batch"]
    # The canonical wording of a question is always trained; only the rarer wordings can be held out.
    key = f"fact {topic.names[0]} {form} {name}" if not (form == "What is {0}?" or not name) else "always"
    return Turn(user, answer, {"contains": must}, key)
