from promptflow.core import tool


@tool
def same(text: str) -> str:
    return text
