"""Synthetic chat data for kumi's demo model. Every word here is our own; nothing is downloaded.

A *skill* is a function `rng -> Turn(user, assistant, expect, key)`. A conversation is an optional system message and one to four
turns. `key` names what is being asked (the pair of numbers, the JSON fields, the subject of the story, the wording of the question);
`is_held(key)` decides by hash whether it belongs to the held-out split, so training and evaluation can never share a key.

    python3 data.py 20          prints twenty sample conversations
"""
import json
import random
import sys

from facts import skill_fact
from words import *


# ---------------------------------------------------------------------------------------------------------------- sums

SUM_FORMS = [
    "What is {0} + {1}?", "What is {0} plus {1}?", "{0} + {1}", "{0}+{1}", "{0} + {1} = ?", "{0}+{1}=", "{0} + {1} =", "Add {0} and {1}.",
    "How much is {0} + {1}?", "How much is {0} plus {1}?", "Calculate {0} + {1}.", "Compute {0} + {1}.", "What is the sum of {0} and {1}?",
    "Sum of {0} and {1}?", "Please add {0} and {1}.", "Can you add {0} and {1}?", "What do you get when you add {0} and {1}?", "{0} plus {1}",
    "{0} plus {1}?", "What's {0} + {1}?", "What is {0}+{1}?", "Tell me {0} + {1}.", "Please compute {0} + {1}.", "{0} and {1} makes?",
    "I have {0} apples and get {1} more. How many apples do I have?", "Give me the sum of {0} and {1}.", "Solve {0} + {1}.",
]


def sum_pair(rng: random.Random) -> tuple[int, int]:
    if rng.random() < 0.12:
        a, b = rng.randint(0, 9), rng.randint(0, 9)
    else:
        total = rng.randint(10, 99)
        a = rng.randint(0, total)
        b = total - a
    return a, b


def skill_sum(rng: random.Random) -> Turn:
    a, b = sum_pair(rng)
    user = fill(rng, rng.choice(SUM_FORMS), a, b)
    return Turn(user, f"{a} + {b} = {a + b}.", {"sum": a + b}, f"sum {a} {b}")


def skill_other_arithmetic(rng: random.Random) -> Turn:
    a, b = rng.randint(2, 99), rng.randint(2, 99)
    op = rng.choice(["times", "*", "x", "minus", "-", "divided by", "/", "big"])
    if op == "big":
        a, op = rng.randint(100, 9999), "+"
        b = rng.randint(1, 9999)
        if rng.random() < 0.5:
            a, b = b, a
    user = fill(rng, rng.choice(["What is {0} %s {1}?", "{0} %s {1}", "How much is {0} %s {1}?", "Calculate {0} %s {1}."]) % op, a, b)
    return Turn(user, "I can only add two numbers with a result up to 99.", {"contains": ["only add"]}, "arith " + user)


# ---------------------------------------------------------------------------------------------------------------- JSON

def json_value(rng: random.Random, key: str) -> object:
    if key == "name":
        return person(rng)
    if key == "city":
        return rng.choice(CITIES) if rng.random() < 0.7 else made_up(rng)
    if key == "color":
        return rng.choice(COLORS)
    if key == "animal":
        return rng.choice(ANIMALS)
    if key == "fruit":
        return rng.choice(FRUITS)
    if key == "thing":
        return rng.choice(THINGS)
    if key == "title":
        return rng.choice(["The ", "My ", "One "]) + rng.choice(COLORS) + " " + rng.choice(THINGS)
    if key == "id":
        return rng.randint(1, 9999)
    if key == "age":
        return rng.randint(1, 99)
    if key in ("count", "size", "price", "year", "score"):
        return rng.randint(1900, 2030) if key == "year" else rng.randint(0, 500)
    if key in ("active", "open", "happy"):
        return rng.random() < 0.5
    if rng.random() < 0.5:
        return rng.randint(0, 999)
    return made_up(rng, capital=False)


JSON_KEYS = "name city color animal fruit thing title id age count size price year score active open happy".split()
JSON_HEADS = [
    "Give me a JSON object with {0}.", "Give me JSON with {0}.", "Write a JSON object with {0}.", "Make a JSON object with {0}.",
    "Return a JSON object with {0}.", "JSON with {0}.", "I need a JSON object with {0}.", "Create a JSON object with {0}.",
    "Please write JSON with {0}.", "Can you give me a JSON object with {0}?", "Answer in JSON: {0}.", "Put this into JSON: {0}.",
    "Turn this into JSON: {0}.", "JSON object: {0}.", "Give me a JSON object with the fields {0}.", "Write JSON: {0}.",
    "Output JSON with {0}.", "Show me a JSON object with {0}.",
]


def skill_json(rng: random.Random) -> Turn:
    n = rng.choice([1, 2, 2, 2, 3, 3, 4])
    keys = rng.sample(JSON_KEYS, n)
    if rng.random() < 0.45 and "name" not in keys:
        keys[0] = "name"
    if rng.random() < 0.12:
        keys[-1] = made_up(rng, capital=False)
    if len(set(keys)) < n:
        return skill_json(rng)
    obj = {k: json_value(rng, k) for k in keys}
    style = rng.choice(["{k} {v}"] * 5 + ["{k} = {v}", "{k}: {v}", "{k} is {v}", "{k} set to {v}", 'q'])

    def show(key: str, value: object) -> str:
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        if style == "q":
            return f'"{key}": {json.dumps(value)}'
        return style.replace("{k}", key).replace("{v}", text)

    parts = [show(k, v) for k, v in obj.items()]
    if len(parts) == 1 or rng.random() < 0.3:
        listing = ", ".join(parts)
    else:
        listing = ", ".join(parts[:-1]) + " and " + parts[-1]
    user = fill(rng, rng.choice(JSON_HEADS), listing)
    return Turn(user, json.dumps(obj), {"json": obj}, "json " + json.dumps(obj))


# ---------------------------------------------------------------------------------------------------------------- stories

ADJECTIVES = "small brave kind quiet clever young old happy shy hungry curious gentle".split()
THING_ADJECTIVES = "red blue shiny old little golden tiny broken lost big".split()
FEELINGS = "happy proud calm glad warm".split()


def story(rng: random.Random, animal: str, thing: str, hero: str, adjective: str, sentences: int) -> str:
    a, t = animal, thing
    place, place2 = rng.sample(PLACES, 2)
    friend_kind = rng.choice([x for x in ANIMALS if x != a])
    friend = rng.choice([n for n in NAMES if n != hero])
    thing_adjective = rng.choice([w for w in THING_ADJECTIVES if w not in t])
    tt = f"{thing_adjective} {t}" if rng.random() < 0.6 else t
    c = rng.choice
    opening = c([
        f"Once upon a time there was {article(adjective)} {a} named {hero}.",
        f"{hero} was {article(adjective)} {a} who lived near the {place}.",
        f"In the {place} lived {article(adjective)} {a} named {hero}.",
        f"Long ago, {article(adjective)} {a} named {hero} lived by the {place}.",
    ])
    find = c([
        f"One day {hero} found {article(tt)} in the {place}.",
        f"One morning {hero} saw {article(tt)} under a tree.",
        f"One rainy day {hero} found {article(tt)} near the {place2}.",
        f"On a cold evening {hero} saw {article(tt)} on the path.",
    ])
    middle = [
        c([f'"Whose {t} is this?" asked {hero}.', f'"What a nice {t}!" said {hero}.', f'"I wonder who lost this {t}," said {hero}.']),
        c([f"{hero} carried the {t} to the {place2}.", f"{hero} took the {t} and walked to the {place2}.",
           f"{hero} hid the {t} near the {place2}."]),
        c([f"There {hero} met {article(friend_kind)} named {friend}.", f"On the way {hero} met {friend}, {article(friend_kind)}.",
           f"Soon {article(friend_kind)} named {friend} came along."]),
        c([f'"That is my {t}!" said {friend}.', f"{friend} had looked for the {t} all day.", f'"May I see the {t}?" asked {friend}.']),
        c([f"{hero} gave the {t} to {friend} and smiled.", f"{hero} and {friend} shared the {t}.",
           f"{hero} let {friend} keep the {t} for a while."]),
        c([f"Then the wind came and took the {t} away.", "Then the rain came and they ran home.", "The sun went down and the stars came out.",
           "They sat together and ate some bread."]),
        c([f"{hero} was not afraid and found the way home.", f"{friend} sang a song and {hero} danced.",
           f"They put the {t} by the door so that all could see it."]),
        c([f"The next day they went to the {place} again.", f"All their friends came to see the {t}.", "Even the moon seemed to smile."]),
    ]
    ending = c([
        f"From that day on, {hero} and {friend} were good friends.",
        f"In the end {hero} was very {c(FEELINGS)}.",
        f"That night {hero} slept well and dreamed of the {t}.",
        f"And {hero} never forgot the {t}.",
    ])
    inner = max(1, sentences - 3)
    if inner < 3:
        ending = c([f"In the end {hero} was very {c(FEELINGS)}.", f"That night {hero} slept well and dreamed of the {t}.",
                    f"And {hero} never forgot the {t}."])
    # The first `inner` steps of the plot, in their order: each sentence only leans on those before it.
    return " ".join([opening, find, *middle[:inner], ending])


def subject_words(animal: str, thing: str) -> str:
    return f"story {animal} {thing}"


def skill_story(rng: random.Random) -> Turn:
    animal, thing = rng.choice(ANIMALS), rng.choice(THINGS)
    hero, adjective = rng.choice(NAMES), rng.choice(ADJECTIVES)
    long = rng.random() < 0.08
    ask = rng.choice(["Tell me a short story", "Tell me a story", "Write a short story", "Write a story", "Please tell me a short story",
                      "Can you tell me a story", "A short story", "I want a story", "Make up a story", "Tell a very short story", "Story"])
    if long:
        ask = rng.choice(["Tell me a long story", "Write a long story", "Please tell me a long story"])
    expect = [animal, thing]
    r = rng.random()
    if r < 0.52:
        about = f" about {article(animal)} and {article(thing)}"
    elif r < 0.62:
        about = f" about {article(animal)} who finds {article(thing)}"
    elif r < 0.72:
        about = f" about {article(animal)} named {hero} and {article(thing)}"
        expect = [animal, thing, hero]
    elif r < 0.80:
        about, expect = f" about {article(animal)}", [animal]
    elif r < 0.86:
        about, expect = f" about {hero}", [hero]
    elif r < 0.92:
        about = f" about {article(adjective)} {animal} and {article(thing)}"
        expect = [animal, thing, adjective]
    elif r < 0.95:
        about, expect = f" about {article(thing)}", [thing]
    else:
        about, expect = "", []
    mark = "?" if ask.startswith("Can") else "."
    user = fill(rng, "{0}".replace("{0}", ask) + about + mark)
    if user.isupper():
        user = user.lower()
    if "named" not in about and about != f" about {hero}":
        user = user.replace("please tell me: ", "")
    else:
        user = user.replace(hero.lower(), hero)
    text = story(rng, animal, thing, hero, adjective, rng.randint(9, 11) if long else rng.choice([3, 4, 4, 5, 5, 6]))
    return Turn(user, text, {"contains": expect}, subject_words(animal, thing))


# ---------------------------------------------------------------------------------------------------------------- talk

TALK: list[tuple[list[str], list[str], str]] = [
    (["Hello!", "Hi!", "Hi there!", "Hey!", "Hello there.", "Hello kumi!", "Hi kumi.", "Greetings!", "Hello, who is there?", "Hey there!"],
     ["Hello! How can I help you?", "Hi! What can I do for you?"], "!"),
    (["Good morning!", "Good morning, kumi."], ["Good morning! How can I help you?"], "Good morning"),
    (["Good evening!", "Good evening, kumi."], ["Good evening! How can I help you?"], "Good evening"),
    (["Good afternoon!"], ["Good afternoon! How can I help you?"], "Good afternoon"),
    (["How are you?", "How are you today?", "How do you do?", "Are you well?", "How is it going?", "What's up?", "How do you feel?"],
     ["I am fine, thank you. I am only a toy, but I run well.", "Very well, thank you. How can I help you?"], "thank you"),
    (["Who are you?", "What are you?", "What is your name?", "Tell me about yourself.", "Introduce yourself.", "Who am I talking to?",
      "Are you a robot?", "Are you human?", "Are you an AI?", "Do you have a name?", "What model are you?", "Which model is this?"],
     ["I am kumi's demo model, a toy of three million parameters.",
      "I am kumi's demo model, a toy with three million parameters that runs on a CPU."], "demo model"),
    (["How big are you?", "How many parameters do you have?", "How large are you?", "Are you a large model?"],
     ["I have about three million parameters. That is very small for a language model."], "three million"),
    (["What can you do?", "How can you help me?", "What are you good at?", "What should I ask you?", "Help!", "Can you help me?",
      "What do you know?"],
     ["I can add numbers, tell short stories, write JSON objects and explain words like KV cache.",
      "I can explain how kumi works, add two numbers, write JSON and tell short stories."], "JSON"),
    (["Who made you?", "Who trained you?", "Where do you come from?", "How were you made?", "Who built you?", "What were you trained on?"],
     ["I was trained from scratch on synthetic text, on a CPU, as a demo for kumi."], "synthetic"),
    (["Are you smart?", "Can I trust you?", "Are you always right?", "Do you make mistakes?", "Are you useful?"],
     ["I am only a toy and often wrong. Please use a larger model for real work."], "toy"),
    (["Where do you run?", "Do you need a GPU?", "Do you use a graphics card?"],
     ["I run on an ordinary CPU. I need no graphics card."], "CPU"),
    (["Thanks!", "Thank you!", "Thank you very much.", "Thanks a lot!", "Great, thanks.", "That helps, thank you.", "Thank you, kumi.",
      "Perfect, thanks!"], ["You are welcome!", "You are welcome. Is there anything else?"], "welcome"),
    (["Goodbye!", "Bye!", "See you!", "See you later.", "Good night!", "Bye bye!", "I have to go.", "That is all.", "See you tomorrow."],
     ["Goodbye! Have a nice day.", "Goodbye! Come back soon."], "Goodbye"),
    (["Good.", "OK.", "Great!", "Nice!", "Cool!", "Wonderful!", "Very good!", "Well done!", "I see.", "That was nice.", "Good job!"],
     ["I am glad to hear that.", "Thank you! What else can I do?"], "|"),
    (["That is wrong.", "This is not right.", "You are wrong.", "No.", "That makes no sense."],
     ["I am sorry. I am only a toy and make mistakes."], "sorry"),
    (["Yes.", "Yes please.", "Sure.", "Of course."], ["Good! What would you like to do?"], "What"),
    (["Do you like me?", "Do you love me?", "Are you happy?", "Are you sad?", "Do you have feelings?", "Can you think?", "Are you alive?"],
     ["I am a small program and have no feelings, but I like to help."], "program"),
    (["Tell me a joke.", "Do you know a joke?", "Make me laugh.", "Say something funny."],
     ["Why did the token wait? It wanted to join a batch.", "What does a cache say? I will keep that in mind."], "?"),
    (["What is your favorite color?", "Which color do you like?", "What is your favorite number?"],
     ["I am a toy and have no favorites, but blue sounds nice."], "toy"),
    (["Say hello.", "Say hello to me.", "Greet me."], ["Hello!"], "Hello"),
]


def skill_talk(rng: random.Random) -> Turn:
    questions, answers, must = rng.choice(TALK)
    q = rng.choice(questions)
    return Turn(vary(rng, q), rng.choice(answers), {"contains": [must] if must != "|" else []}, "always")


COUNTRIES = "France Norway Japan Peru Italy Egypt Spain India Kenya Canada Chile Poland Greece Brazil Turkey Germany".split()
UNKNOWN_THINGS = ("gravity,love,money,the moon,a volcano,electricity,the stock market,music,history,football,a black hole,happiness,"
                  "the sun,chess,a computer virus,the ocean,rust,a dinosaur,philosophy,the internet,bread,a planet,blood,an engine,"
                  "democracy,glass,sugar,the weather,a bicycle,physics,a star,cancer,light,a robot,an atom,iron,art,a giraffe").split(",")
UNKNOWN_FORMS = [
    "What is the capital of {country}?", "What is the weather in {city}?", "Who is the president of {country}?", "How far is {city}?",
    "How many people live in {city}?", "What time is it in {city}?", "What is {thing}?", "Explain {thing}.", "What is {thing}?",
    "How does {thing} work?", "Tell me about {thing}.", "Who invented {thing}?", "When was {person} born?", "Who is {person}?",
    "Where does {person} live?", "What did {person} say?", "Write a poem about {thing}.", "Write a song about {city}.",
    "How do I cook {food}?", "How do I make {food}?", "What is a good recipe for {food}?", "How do I fix my {object}?",
    "Where can I buy a {object}?", "How much does a {object} cost?", "How old is the {animal}?", "What does a {animal} eat?",
    "How fast is a {animal}?", "Translate {word} into French.", "Translate {word} to German.", "What is {word} in Japanese?",
    "Write a Python program that sorts a list.", "Write a program in Zig.", "What is the news today?", "What day is it today?",
    "Who won the game?", "What should I eat today?", "What is the meaning of life?", "Is it going to rain tomorrow?",
    "How do I learn {country}'s language?", "Summarize this book for me.", "What is a {nonsense}?", "What is {nonsense}?",
    "Explain {nonsense}.", "What does {nonsense} mean?", "Tell me about {country}.", "Why is the sky blue?", "Why do birds sing?",
    "Why is {thing} important?", "When did {country} become a state?", "What is the best {object}?", "Who wrote the book {word}?",
    "What is the largest {animal} in the world?", "Where is {city}?", "Which river flows through {city}?",
    "Can you book a flight to {city}?", "Play some music.", "What is the price of a {object} in {country}?", "Define {nonsense}.",
]
FOODS = "bread soup rice cake pasta pizza fish salad".split()
UNKNOWN_ANSWERS = ["I do not know that. I am only a toy.", "I do not know that, I am a toy with three million parameters.",
                   "Sorry, I do not know that. I am only a small demo model."]


def skill_unknown(rng: random.Random) -> Turn:
    form = rng.choice(UNKNOWN_FORMS)
    user = (form.replace("{country}", rng.choice(COUNTRIES)).replace("{city}", rng.choice(CITIES)).replace("{thing}", rng.choice(UNKNOWN_THINGS))
            .replace("{person}", person(rng)).replace("{food}", rng.choice(FOODS)).replace("{object}", rng.choice(THINGS))
            .replace("{animal}", rng.choice(ANIMALS)).replace("{word}", rng.choice(THINGS + COLORS + ANIMALS))
            .replace("{nonsense}", made_up(rng, capital=False)))
    return Turn(vary(rng, user), rng.choice(UNKNOWN_ANSWERS), {"contains": ["do not know"]}, "unknown " + user)


def skill_count(rng: random.Random) -> Turn:
    a = rng.choice([1, 1, 1, rng.randint(0, 10)])
    b = a + rng.randint(2, 14)
    user = fill(rng, rng.choice(["Count from {0} to {1}.", "Please count from {0} to {1}.", "Can you count from {0} to {1}?", "Count {0} to {1}."]), a, b)
    if a == 1 and rng.random() < 0.3:
        user = fill(rng, rng.choice(["Count to {0}.", "Can you count to {0}?"]), b)
    text = ", ".join(str(i) for i in range(a, b + 1))
    return Turn(user, text + ".", {"contains": [text]}, f"count {a} {b}")


def skill_repeat(rng: random.Random) -> Turn:
    words = [rng.choice(COLORS + ANIMALS + THINGS + FRUITS) if rng.random() < 0.6 else made_up(rng, capital=rng.random() < 0.3)
             for _ in range(rng.randint(1, 5))]
    if rng.random() < 0.3:
        words[rng.randrange(len(words))] = str(rng.randint(0, 99))
    text = " ".join(words)
    user = fill(rng, rng.choice(["Repeat after me: {0}", "Repeat: {0}", "Say: {0}", "Please repeat: {0}", "Copy this: {0}", "Echo: {0}"]), text)
    return Turn(user, text, {"contains": [text]}, "repeat " + text)


def skill_list(rng: random.Random) -> Turn:
    label, pool = rng.choice([("animals", ANIMALS), ("colors", COLORS), ("names", NAMES), ("fruits", FRUITS), ("cities", CITIES)])
    n, word = rng.choice([(2, "two"), (3, "three"), (3, "three"), (4, "four"), (5, "five")])
    user = vary(rng, rng.choice(["Name %s %s.", "Tell me %s %s.", "Give me %s %s.", "List %s %s."]) % (word, label))
    items = rng.sample(pool, n)
    return Turn(user, ", ".join(items[:-1]) + " and " + items[-1] + ".", {"contains": [" and "]}, "always")


# Two turns that lean on each other: these cannot be answered without reading back.
def talk_name(rng: random.Random) -> list[Turn]:
    who = person(rng)
    told = Turn(fill(rng, rng.choice(["My name is {0}.", "I am {0}.", "Hi, I am {0}.", "Hello, my name is {0}.", "You can call me {0}."]), who),
                f"Nice to meet you, {who}.", {"contains": [who]}, f"name {who}", "name")
    asked = Turn(vary(rng, rng.choice(["What is my name?", "Who am I?", "Do you remember my name?", "Do you know my name?"])),
                 f"Your name is {who}.", {"contains": [who]}, f"name {who}", "name")
    between = [make_turn(rng, rng.choice(["talk", "sum", "fact", "sum"]), False) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    return [told, *between, asked]


def talk_no_name(rng: random.Random) -> list[Turn]:
    user = vary(rng, rng.choice(["What is my name?", "Who am I?", "Do you remember my name?", "Do you know my name?"]))
    return [Turn(user, "You have not told me your name yet.", {"contains": ["not told"]}, "always", "name")]


def talk_add_more(rng: random.Random) -> list[Turn]:
    while True:
        a, b = sum_pair(rng)
        if a + b >= 99 or is_held(f"sum {a} {b}"):
            continue
        c = rng.randint(1, min(99 - a - b, 50))
        if not is_held(f"sum {a + b} {c}"):
            break
    first = Turn(fill(rng, rng.choice(SUM_FORMS[:-1]), a, b), f"{a} + {b} = {a + b}.", {"sum": a + b}, f"sum {a} {b}", "sum")
    then = Turn(fill(rng, rng.choice(["Now add {0}.", "And {0} more?", "Plus {0}?", "Add {0} to that.", "And add {0}."]), c),
                f"{a + b} + {c} = {a + b + c}.", {"sum": a + b + c}, f"sum {a + b} {c}", "sum")
    return [first, then]


# ---------------------------------------------------------------------------------------------------------------- conversations

SKILLS = {
    "sum": skill_sum, "json": skill_json, "story": skill_story, "fact": skill_fact, "talk": skill_talk, "unknown": skill_unknown,
    "count": skill_count, "repeat": skill_repeat, "list": skill_list, "arith": skill_other_arithmetic,
}
# Weights of the skills in a training conversation. Sums come first; copying (JSON, repeat) is learned late and needs the most examples.
MIX = {"sum": 32, "json": 36, "story": 9, "fact": 11, "talk": 6, "unknown": 6, "count": 3, "repeat": 7, "list": 1, "arith": 2}
EARLY_MIX = {"sum": 63, "json": 15, "story": 8, "fact": 14, "talk": 7, "unknown": 8, "count": 2, "repeat": 2.5, "list": 1, "arith": 2}

SYSTEMS = [
    "You are a helpful assistant.", "You are a helpful assistant.", "You are kumi, a helpful assistant.", "You are kumi's demo model.",
    "Answer briefly.", "Be polite and brief.", "You are a friendly assistant.", "You are a concise assistant. Answer in one sentence.",
    "You are a small language model that runs on a CPU.", "Help the user.", "You are an assistant that answers questions.",
    "You are a helpful, honest assistant.", "Keep your answers short.",
]


def make_turn(rng: random.Random, kind: str, held: bool) -> Turn:
    while True:
        turn = SKILLS[kind](rng)
        if turn.key == "always" or is_held(turn.key) == held:
            turn.kind = kind
            return turn


def pick(rng: random.Random, mix: dict[str, float]) -> str:
    return rng.choices(list(mix), list(mix.values()))[0]


def conversation(rng: random.Random, mix: dict[str, float] = MIX) -> list[dict]:
    """One training conversation as chat messages; only keys of the training split occur in it."""
    r = rng.random()
    if r < 0.03:
        turns = talk_name(rng)
        if any(is_held(t.key) for t in (turns[0], turns[-1])):
            return conversation(rng, mix)
    elif r < 0.035:
        turns = talk_no_name(rng)
    elif r < 0.065:
        turns = talk_add_more(rng)
    else:
        first = pick(rng, mix)
        turns = [make_turn(rng, first, False)]
        if rng.random() < 0.3:
            same = rng.random() < 0.4
            for _ in range(rng.choice([1, 1, 2, 3])):
                kind = first if same and first != "story" else pick(rng, mix)
                turns.append(make_turn(rng, kind, False))
    messages = [{"role": "system", "content": rng.choice(SYSTEMS)}] if rng.random() < 0.25 else []
    for t in turns:
        messages += [{"role": "user", "content": t.user}, {"role": "assistant", "content": t.assistant}]
    return messages


def plain_story(rng: random.Random) -> str:
    """A story without a chat around it, for the plain completion endpoint."""
    while True:
        animal, thing = rng.choice(ANIMALS), rng.choice(THINGS)
        if not is_held(subject_words(animal, thing)):
            return story(rng, animal, thing, rng.choice(NAMES), rng.choice(ADJECTIVES), rng.choice([4, 5, 6, 7, 8]))


CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def render(messages: list[dict], add_generation_prompt: bool = False) -> str:
    """What CHAT_TEMPLATE yields, without a template engine."""
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return text + ("<|im_start|>assistant\n" if add_generation_prompt else "")


HELD_OUT_COUNTS = {"sum": 80, "json": 50, "story": 20, "fact": 20, "talk": 8, "unknown": 10, "count": 4, "repeat": 4, "arith": 4}


def held_out(seed: int = 2024) -> list[dict]:
    """The two hundred prompts of the evaluation: keys that training never saw, each prompt once, some with a system message."""
    rng = random.Random(seed)
    out, seen = [], set()
    for kind, count in HELD_OUT_COUNTS.items():
        while count:
            turn = make_turn(rng, kind, kind != "talk")
            if turn.user in seen or (turn.key == "always" and kind != "talk"):
                continue
            if kind == "story" and "long story" in turn.user.lower():
                continue
            seen.add(turn.user)
            system = [{"role": "system", "content": rng.choice(SYSTEMS)}] if rng.random() < 0.2 else []
            out.append({"kind": kind, "messages": [*system, {"role": "user", "content": turn.user}], "expect": turn.expect})
            count -= 1
    return out


if __name__ == "__main__":
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 10):
        print(render(conversation(rng)), end="\n\n")
