from promptflow.core import tool


@tool
def keywords(words: list) -> list:
    return sorted({word for word in words if len(word) > 3})
