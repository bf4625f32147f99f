from promptflow.core import tool


@tool
def classify(text: str) -> dict:
    words = text.lower().rstrip("?!.").split()
    bug = {"crash", "crashes", "error", "fails"}.intersection(words)
    return {"kind": "bug" if bug else "question", "words": words}
