from promptflow.core import tool


@tool
def context(passages: list) -> str:
    return "\n".join(f"- {one['title']}: {one['text']}" for one in passages)
