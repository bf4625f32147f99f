from promptflow.core import tool


@tool
def words(text: str) -> list:
    return [word.strip("?!,.") for word in text.split()]
