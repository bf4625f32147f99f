from promptflow.core import tool


@tool
def score(answer: str, keywords: list) -> float:
    found = [word for word in keywords if word in answer.lower()]
    return len(found) / len(keywords)
