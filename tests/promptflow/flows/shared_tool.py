from pathlib import Path

from promptflow.core import tool


@tool
def shared():
    # Both files are laid beside the flow by `additional_includes`.
    return (Path(__file__).parent / "shared.txt").read_text().strip() + "!"
