"""What tells at run time that a test has left tasks behind, besides what a suite does itself.

Each entry was read in the sources of the release that is named.
"""

from __future__ import annotations

# Calls that give the tasks of a loop (https://docs.python.org/3/library/asyncio-task.html#introspection,
# https://anyio.readthedocs.io/en/stable/api.html#anyio.get_running_tasks).
TASK_LISTS = frozenset(
    [
        "asyncio.all_tasks",
        "asyncio.tasks.all_tasks",
        "asyncio.Task.all_tasks",  # up to Python 3.8
        "anyio.get_running_tasks",
    ]
)
# Packages whose import by a suite means that it looks for tasks: pyleak 0.2 has no_task_leaks, a context
# manager and decorator, and gives pytest the mark no_leaks (https://pypi.org/project/pyleak/).
LEAK_PACKAGES = frozenset({"pyleak"})
LEAK_MARKS = frozenset({"no_leaks"})
# Plugins that look after every test once they are loaded: the autouse fixture verify_cleanup of
# pytest-homeassistant-custom-component 0.13 (its plugins.py).
LEAK_PLUGINS = frozenset({"pytest_homeassistant_custom_component"})
# Test case classes whose tearDown cancels the tasks that are left (tornado 6.5, tornado/testing.py).
LEAK_BASES = frozenset({"tornado.testing.AsyncTestCase", "tornado.testing.AsyncHTTPTestCase"})
