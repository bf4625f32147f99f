from promptflow.core import tool


@tool
def passages(keywords: list, limit: int) -> list:
    return [{"title": word, "text": f"What is known of {word}."} for word in keywords][:limit]
