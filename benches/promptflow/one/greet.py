from promptflow.core import tool


@tool
def greet(text: str) -> str:
    return "Prompt: " + text
