from promptflow.core import tool


@tool
def answer(prompt: str) -> str:
    return prompt.strip().splitlines()[-1].removeprefix("Question: ").capitalize()
