"""What all skills share: turns, the held-out split, varied wording, and lists of words."""
import random
import zlib
from dataclasses import dataclass


@dataclass
class Turn:
    user: str
    assistant: str
    expect: dict
    key: str
    kind: str = ""


def is_held(key: str) -> bool:
    """One key in ten is held out, chosen by hash alone: no list to keep, the same in every process."""
    return zlib.crc32(key.encode()) % 10 == 0


# ---------------------------------------------------------------------------------------------------------------- wording

def vary(rng: random.Random, template: str) -> str:
    """The way people really type: no capital, no final mark, now and then a please or all capitals. Placeholders {0} survive."""
    s = template
    r = rng.random()
    if r < 0.10 and len(s) > 12 and s[-1] == "?" and not s.lower().startswith(("please", "can", "could", "hi", "hey")):
        s = rng.choice(["Please tell me: ", "Quick question: ", "Hey, ", "So, ", "Hi, ", "One question: "]) + s[0].lower() + s[1:]
    elif r < 0.16 and s[-1] == ".":
        s = s[:-1] + rng.choice([", please.", " please.", "!"])
    r = rng.random()
    if r < 0.14:
        s = s.lower()
    elif r < 0.22:
        s = s[0].lower() + s[1:]
    elif r < 0.24:
        s = s.upper()
    if rng.random() < 0.2 and s[-1] in ".?!":
        s = s[:-1]
    return s


def fill(rng: random.Random, template: str, *values: object) -> str:
    s = vary(rng, template)
    for i, value in enumerate(values):
        s = s.replace("{%d}" % i, str(value))
    return s


def article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


NAMES = ("Tom Mia Ada Ben Lena Max Zoe Kim Leo Nora Sam Eva Finn Ida Paul Lily Omar Rosa Jan Emma Yuki Ken Sara Noah Anna Hugo Mara "
         "Otto Iris Felix").split()
CITIES = "Oslo Paris Rome Kyoto Berlin Lima Cairo Dublin Vienna Tokyo Lisbon Madrid Zurich Prague".split()
COLORS = "red blue green yellow white black brown grey golden purple".split()
ANIMALS = ("fox cat dog bear mouse rabbit owl horse duck frog turtle wolf hen goat bird fish squirrel hedgehog otter deer sheep pony "
           "bee snail lion").split()
THINGS = ("lamp ball key boat hat book kite bell drum box cake apple coat map cup stone flower chair bike letter spoon mirror rope "
          "basket shell robot train blanket lantern button").split()
PLACES = "forest garden river village hill lake meadow barn beach park bridge field old house market mountain".split()
PLACES[PLACES.index("old")] = "old mill"
PLACES.remove("house")
FRUITS = "apple pear plum banana cherry lemon orange grape".split()
SYLLABLES = ("ba be bi bo ka ke ki ko la le li lo ma me mi mo na ne ni no ra re ri ro sa se si so ta te ti to va ve vi vo za zo "
             "dan len mar rin sol tun vel wen pal gor").split()


def made_up(rng: random.Random, capital: bool = True) -> str:
    """A name nobody has: teaches the model to copy what it reads rather than to choose from what it knows."""
    s = "".join(rng.choice(SYLLABLES) for _ in range(rng.choice([2, 2, 2, 3])))
    return s.capitalize() if capital else s


def person(rng: random.Random) -> str:
    return rng.choice(NAMES) if rng.random() < 0.6 else made_up(rng)
