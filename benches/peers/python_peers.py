"""One workload in one Python engine, called by scripts/bench: python_peers.py ENGINE WORKLOAD COUNT.

WORKLOAD is `chain` (each node needs the one before) or `fan` (1 -> COUNT -> 1). A node adds one to a number, so that nothing but the
engine is measured. What an engine writes goes to the current folder. The result is checked: an engine that ran nothing is no peer.
"""

import sys


def langgraph(workload, count, saver=None):
    import operator
    from typing import Annotated, TypedDict

    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    class State(TypedDict):
        value: Annotated[int, operator.add]

    graph = StateGraph(State)
    if workload == "chain":
        for number in range(count):
            graph.add_node(f"n{number}", lambda state: {"value": 1})
            graph.add_edge(START if number == 0 else f"n{number - 1}", f"n{number}")
        graph.add_edge(f"n{count - 1}", END)
    else:
        graph.add_node("first", lambda state: {"value": 0})
        graph.add_node("each", lambda state: {"value": 1})
        graph.add_node("last", lambda state: {"value": 0})
        graph.add_edge(START, "first")
        graph.add_conditional_edges("first", lambda state: [Send("each", {"value": n}) for n in range(count)], ["each"])
        graph.add_edge("each", "last")
        graph.add_edge("last", END)
    config = {"recursion_limit": count + 10, "configurable": {"thread_id": "1"}}
    result = graph.compile(checkpointer=saver).invoke({"value": 0}, config)
    return result["value"]


def langgraph_sqlite(workload, count):
    from langgraph.checkpoint.sqlite import SqliteSaver

    with SqliteSaver.from_conn_string("checkpoints.sqlite") as saver:
        return langgraph(workload, count, saver)


def hamilton(workload, count):
    from hamilton import ad_hoc_utils, driver

    space = {}
    if workload == "chain":
        lines = ["def n0() -> int:\n    return 1"]
        lines += [f"def n{i}(n{i - 1}: int) -> int:\n    return n{i - 1} + 1" for i in range(1, count)]
        last = f"n{count - 1}"
    else:
        lines = ["def first() -> int:\n    return 1"]
        lines += [f"def n{i}(first: int) -> int:\n    return first" for i in range(count)]
        # A function takes at most so many arguments in some tools; a dict of all is what Hamilton gives back.
        last = [f"n{i}" for i in range(count)]
    exec("\n".join(lines), space)
    functions = [value for name, value in space.items() if name != "__builtins__"]
    module = ad_hoc_utils.create_temporary_module(*functions)
    wanted = [last] if isinstance(last, str) else last
    result = driver.Builder().with_modules(module).build().execute(wanted)
    return result[last] if isinstance(last, str) else sum(result.values())


def prefect(workload, count):
    import os

    os.environ.setdefault("PREFECT_HOME", os.path.abspath("prefect"))
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from prefect import flow, task

    @task
    def add(value):
        return value + 1

    @flow
    def whole():
        if workload == "chain":
            value = 0
            for _ in range(count):
                value = add(value)
            return value
        return sum(future.result() for future in add.map([0] * count))

    return whole()


def luigi(workload, count):
    import luigi as engine

    done = {}

    class Node(engine.Task):
        number = engine.IntParameter()

        def requires(self):
            return [Node(number=self.number - 1)] if workload == "chain" and self.number else []

        def complete(self):
            return self.number in done

        def run(self):
            done[self.number] = 1

    class Last(engine.Task):
        def requires(self):
            return [Node(number=number) for number in range(count)]

        def complete(self):
            return "last" in done

        def run(self):
            done["last"] = 0

    sys.setrecursionlimit(10 * count + 1000)
    engine.build([Last()] if workload == "fan" else [Node(number=count - 1)], local_scheduler=True, log_level="ERROR")
    return sum(done.values())


ENGINES = {"langgraph": langgraph, "langgraph-sqlite": langgraph_sqlite, "hamilton": hamilton, "prefect": prefect, "luigi": luigi}

if __name__ == "__main__":
    name, workload, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    found = ENGINES[name](workload, count)
    if found != count:
        sys.exit(f"{name} gave {found} for {count} nodes")
