from promptflow.core import tool


@tool
def escalate(words: list) -> str:
    print("a ticket is made")
    return "TICKET-" + "-".join(words[:3])
