"""Images between nodes: `{"data:image/png;base64": …}` is an Image for a tool."""

import os
import sys


def load(key, text):
    kind, _, form = key[len("data:") :].partition(";")
    if form not in ("base64", "path", "url"):
        return {key: text}
    from promptflow.contracts.multimedia import Image

    if form == "url":
        import urllib.request

        with urllib.request.urlopen(text, timeout=60) as answer:
            return Image(answer.read(), mime_type=None if kind == "image/*" else kind, source_url=text)
    if form == "path":
        with open(os.path.join(sys.path[0], text), "rb") as file:
            return Image(file.read(), mime_type=kind)
    import base64

    return Image(base64.b64decode(text), mime_type=kind)
