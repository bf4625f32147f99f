"""What Jinja2 makes of the corpus, as JSON on standard output."""

import copy
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import corpus
from jinja2.sandbox import SandboxedEnvironment

cases = []
for template in corpus.templates():
    case = {"template": template}
    environment = SandboxedEnvironment(trim_blocks=True, keep_trailing_newline=True)
    try:
        loaded = environment.from_string(template)
    except Exception as error:
        case["load"] = type(error).__name__
        cases.append(case)
        continue
    try:
        case["text"] = loaded.render(copy.deepcopy(corpus.CONTEXT))
    except Exception as error:
        case["raises"] = type(error).__name__
    cases.append(case)
json.dump({"context": corpus.CONTEXT, "cases": cases}, sys.stdout, indent=1, ensure_ascii=True)
print()
