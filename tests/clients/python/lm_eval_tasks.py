"""Writes tasks for lm_eval, whose own need the hub, into a folder: lm_eval_tasks.py FOLDER"""

import json
import os
import sys

FOLDER = sys.argv[1]
DOCUMENTS = [
    {
        "question": f"What is {a} + {b}?",
        "right": f"{a} + {b} = {a + b}.",
        "wrong": f"{a} + {b} = {a + b + 7}.",
        "text": f"{a} + {b} = {a + b}. " * 4,
    }
    for a in range(10, 20)
    for b in (5, 21)
]
COMMON = f"""
dataset_path: json
dataset_kwargs: {{data_files: {{test: {FOLDER}/documents.jsonl}}}}
test_split: test
num_fewshot: 0
"""
TASKS = {
    "sums_choice": """
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{[right, wrong]}}"
doc_to_target: 0
target_delimiter: " "
metric_list: [{metric: acc}]
""",
    "sums_rolling": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: byte_perplexity}]
""",
    "sums_generated": """
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{right}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 20, do_sample: false}
metric_list: [{metric: exact_match}]
""",
}

os.makedirs(FOLDER, exist_ok=True)
for name, text in TASKS.items():
    with open(f"{FOLDER}/{name}.yaml", "w") as file:
        file.write(f"task: {name}\n{COMMON}{text}")
with open(f"{FOLDER}/documents.jsonl", "w") as file:
    file.writelines(json.dumps(document) + "\n" for document in DOCUMENTS)
