"""Renders chat templates with transformers' own renderer, for tests/tokenizer_goldens_test.ts to compare with.

python3 render.py TEMPLATES_FOLDER > goldens.json      needs PyPI's transformers (no PyTorch)
python3 render.py features.json                        fills in the texts of its short templates, or null where they are refused

For each template a list, in the order of cases.json: the first 16 hex digits of the text's SHA-256, or null where the template refuses.
The day that templates may write is 2 January 2026.
"""

import datetime
import hashlib
import json
import pathlib
import sys

import transformers.utils.chat_template_utils as chat


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 1, 2)


def render(source, case):
    settings = {name: value for name, value in case.items() if name not in ("messages", "tools")}
    try:
        rendered = chat.render_jinja_template(
            [json.loads(json.dumps(case["messages"]))],
            tools=case.get("tools"),
            chat_template=source,
            bos_token="<s>",
            eos_token="</s>",
            **settings,
        )
    except Exception:  # templates raise what they like
        return None
    text = rendered[0][0] if isinstance(rendered, tuple) else rendered
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def render_features(path):
    features = json.loads(path.read_text())

    def text(source):
        try:
            return chat._compile_jinja_template(source).render(**features["variables"])
        except Exception:
            return None

    groups = {name: [[source, text(source)] for source, _ in cases] for name, cases in features["features"].items()}
    path.write_text(json.dumps({**features, "features": groups}, ensure_ascii=False, indent=2) + "\n")


chat.datetime = FixedTime
if sys.argv[1].endswith("features.json"):
    render_features(pathlib.Path(sys.argv[1]))
    sys.exit()
cases = json.loads(pathlib.Path(__file__).with_name("cases.json").read_text())
folder = pathlib.Path(sys.argv[1])
goldens = {
    path.name: [render(path.read_text(encoding="utf8"), case) for case in cases.values()]
    for path in sorted(folder.glob("*.jinja"))
}
lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(hashes)}" for name, hashes in goldens.items())
print("{\n" + lines + "\n}")
