"""The autouse fixture that ASL207 adds to a conftest: its text, and why there is none where it doesn't fit.

The fixture takes the event loop of an async test before anything else is set up, and looks at its tasks
when everything else is torn down. Sync tests are left alone, and so are tests that run on trio.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from asynclint.finding import Edit, Fix, Position, Safety, Span
from asynclint.project.dependencies import dependencies
from asynclint.project.guards.insertion import importable
from asynclint.project.guards.refusals import NoGuardError
from asynclint.project.leaks.flavours import Flavour, flavours, loop_scopes
from asynclint.project.project import Project
from asynclint.project.suite import Suite
from asynclint.source.outline import Outline

FIXTURE = "_no_task_left_behind"  # the underscore sorts it before other autouse fixtures of a conftest
FITTING = (Flavour.UNITTEST, Flavour.ASYNCIO, Flavour.ANYIO)
LOOPS = (Flavour.ASYNCIO, Flavour.ANYIO)
PLUGINS = ("pytest-asyncio", "pytest-aiohttp")  # the second depends on the first
# What could notice that an event loop is made earlier, or that a fixture or cleanup is there at all.
NOTICING = re.compile(
    rb"(?:set|new)_event_loop|event_loop_policy|EventLoopPolicy|\bevent_loop\b|uvloop|doCleanups|_cleanups"
    rb"|fixturenames"
)

LOOP_FIXTURE = '''\
@{decorator}
async def {name}():
    """Give the event loop of a test that {runner} runs."""
    return asyncio.get_running_loop()
'''
LOOP_FIXTURES = {
    Flavour.ASYNCIO: ("_loop_of_asyncio", "pytest-asyncio"),
    Flavour.ANYIO: ("_loop_of_anyio", "anyio"),
}
DESCRIBE = '''\
def _describe_task(task):
    """Name a task, and where its coroutine was made or, failing that, is defined."""
    coro = task.get_coro()
    text = f"{task.get_name()} ({getattr(coro, '__qualname__', '?')})"
    if getattr(coro, "cr_origin", None):
        file, line, _ = coro.cr_origin[0]
        return f"{text}, made at {file}:{line}"
    code = getattr(coro, "cr_code", None)
    return f"{text}, of {code.co_filename}:{code.co_firstlineno}" if code else text
'''
END_TASKS = '''\
async def _end_tasks(before=frozenset()):
    """Fail a test for the tasks that it has left behind, once they are cancelled."""
    tasks = asyncio.all_tasks() - before - {asyncio.current_task()}
    if tasks:
        lines = sorted(f"task left behind: {_describe_task(t)}" for t in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1)
        pytest.fail("\\n".join(lines), pytrace=False)
'''
WARN_OF_TASKS = '''\
def _warn_of_tasks(tasks):
    """Warn of the tasks that a test has left behind, without failing it."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # even where filters make warnings errors
        for task in tasks:
            message = f"task left behind: {_describe_task(task)}"
            warnings.warn(message, ResourceWarning, stacklevel=2)
'''
WARN_OF_OTHER_TASKS = '''\
async def _warn_of_other_tasks():
    """Warn at the end of a test of unittest, which has a loop of its own."""
    _warn_of_tasks(asyncio.all_tasks() - {asyncio.current_task()})
'''
HEAD = '''\
@pytest.fixture(autouse=True)
def {fixture}(request):
    """{verb} an async test that leaves a task behind."""
'''
CONDITIONS = {
    Flavour.UNITTEST: """\
if isinstance(request.instance, unittest.IsolatedAsyncioTestCase):
    request.instance.addAsyncCleanup({cleanup})
""",
    Flavour.ASYNCIO: """\
if request.node.get_closest_marker("asyncio"):
    loop = request.getfixturevalue("_loop_of_asyncio")
""",
    Flavour.ANYIO: """\
if "anyio_backend" in request.fixturenames:
    if request.getfixturevalue("anyio_backend_name") == "asyncio":
        loop = request.getfixturevalue("_loop_of_anyio")
""",
}
FAILING = """\
    before = asyncio.all_tasks(loop)
    depth = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(max(depth, 1))
    yield  # set up first, so torn down last: other fixtures have ended their tasks
    sys.set_coroutine_origin_tracking_depth(depth)
    loop.run_until_complete(_end_tasks(before))
"""
WARNING = """\
    before = asyncio.all_tasks(loop)
    yield  # set up first, so torn down last: other fixtures have ended their tasks
    _warn_of_tasks(asyncio.all_tasks(loop) - before)
"""


class NoFixtureError(Exception):
    """No fixture can be added; ``str()`` says why, in words for the user."""


def fixture_fix(suite: Suite, project: Project) -> Fix:
    """The fix that adds the fixture to the conftest of a suite; raises NoFixtureError."""
    conftest = project.modules.load(suite.conftest) if suite.conftest is not None else None
    text = fixture_text(suite, conftest, project)
    if conftest is None:
        raise NoFixtureError(_without_conftest(suite))
    imports = tuple(modules_of(text))
    _refuse_taken_names(text, imports, conftest, project)
    fails = project.settings.leak_check == "fail"
    message = f"add the autouse fixture {FIXTURE}, which {'fails' if fails else 'warns of'} such a test"
    safety = Safety.SAFE if is_safe(suite, project) else Safety.UNSAFE
    return Fix(message, (_appended(text, conftest),), safety, imports)


def fixture_text(suite: Suite, conftest: Outline | None, project: Project) -> str:
    """The definitions, for a conftest that is there or for a new one; raises NoFixtureError."""
    found = [flavour for flavour in FITTING if flavours(suite, project)[flavour]]
    if not found:
        message = "can't tell how a fixture would get the event loop that the suite's own runner makes"
        raise NoFixtureError(message)
    decorator = _asyncio_decorator(suite, conftest, project) if Flavour.ASYNCIO in found else ""
    return "\n\n".join(_blocks(found, decorator, fails=project.settings.leak_check == "fail"))


def is_safe(suite: Suite, project: Project) -> bool:
    """Whether the fixture, where it warns, can't change the outcome of a test that passes."""
    return project.settings.leak_check != "fail" and not _may_notice(suite, project)


def _without_conftest(suite: Suite) -> str:
    path = suite.directory / "conftest.py"
    shown = path.relative_to(suite.root) if path.is_relative_to(suite.root) else path
    missing = "there is no conftest.py that all of its tests get"
    return f"{missing}: --checklist --fix creates {shown} if no test minds"


def _asyncio_decorator(suite: Suite, conftest: Outline | None, project: Project) -> str:
    """The decorator of a fixture that runs in the loop of the tests; raises NoFixtureError."""
    scopes = loop_scopes(suite, project)
    if len(scopes) > 1 or not scopes <= {"function", "class", "module", "package", "session"}:
        message = "tests run in event loops of several scopes, and a fixture in one"
        raise NoFixtureError(message)
    depends = dependencies(conftest.path.parent if conftest is not None else suite.directory)
    configured = suite.config.options.get("asyncio_mode")
    imported = conftest is not None and any(
        binding.module == "pytest_asyncio"
        for bindings in conftest.scope.bindings.values()
        for binding in bindings
    )
    if not (configured or imported or any(depends.has(name, (3, 11)) for name in PLUGINS)):
        message = "nothing says that the project depends on pytest-asyncio, which the fixture would import"
        raise NoFixtureError(message)
    (scope,) = scopes
    same = scope == suite.config.asyncio_fixture_loop_scope
    return "pytest_asyncio.fixture" if same else f'pytest_asyncio.fixture(loop_scope="{scope}")'


def _blocks(found: Sequence[Flavour], decorator: str, *, fails: bool) -> Iterator[str]:
    """The definitions, each with its last line end."""
    for flavour in LOOPS:
        if flavour in found:
            name, runner = LOOP_FIXTURES[flavour]
            chosen = decorator if flavour is Flavour.ASYNCIO else "pytest.fixture"
            yield LOOP_FIXTURE.format(decorator=chosen, name=name, runner=runner)
    yield DESCRIBE
    yield END_TASKS if fails else WARN_OF_TASKS
    if Flavour.UNITTEST in found and not fails:
        yield WARN_OF_OTHER_TASKS
    yield _fixture(found, fails=fails)


def _fixture(found: Sequence[Flavour], *, fails: bool) -> str:
    head = HEAD.format(fixture=FIXTURE, verb="Fail" if fails else "Warn of")
    cleanup = "_end_tasks" if fails else "_warn_of_other_tasks"
    branches = [CONDITIONS[flavour].format(cleanup=cleanup) for flavour in found]
    chosen = "".join(branches[:1] + [f"el{branch}" for branch in branches[1:]])
    inside = "".join(f"        {line}\n" for line in chosen.splitlines())
    asked = f"    if inspect.iscoroutinefunction(request.function):\n{inside}"
    if not any(flavour in found for flavour in LOOPS):
        return head + asked
    rest = FAILING if fails else WARNING
    return f"{head}    loop = None\n{asked}    if loop is None:\n        yield\n        return\n{rest}"


def modules_of(text: str) -> Iterator[str]:
    """The modules that the definitions need."""
    for module in ("asyncio", "inspect", "pytest", "pytest_asyncio", "sys", "unittest", "warnings"):
        if re.search(rf"\b{module}\.", text):
            yield module


def _refuse_taken_names(text: str, imports: Sequence[str], conftest: Outline, project: Project) -> None:
    """Raise NoFixtureError where a name of the fixture means something else in the conftest."""
    taken = [name for name in re.findall(r"def (\w+)", text) if name in conftest.scope.bindings]
    if taken:
        message = f"{conftest.path.name} has a {taken[0]} of its own"
        raise NoFixtureError(message)
    for module in imports:
        bindings = conftest.scope.bindings.get(module, [])
        if any(binding.kind != "import" or binding.module != module for binding in bindings):
            message = f"the name {module} means something else in {conftest.path.name}"
            raise NoFixtureError(message)
        try:
            importable(module, conftest.scope, project)
        except NoGuardError as error:
            raise NoFixtureError(str(error)) from None


def _may_notice(suite: Suite, project: Project) -> bool:
    """Whether something of the suite might behave otherwise with the fixture, although that only warns."""
    return any(NOTICING.search(source) for source in suite.sources(project).values())


def _appended(text: str, conftest: Outline) -> Edit:
    """The text at the end of a module, two blank lines below what is there."""
    source = conftest.text.text
    kept = source.rstrip()
    end = conftest.text.position(len(source))
    start = conftest.text.position(len(kept)) if kept else Position(1, 0)
    newline = conftest.text.newline
    lead = newline * 3 if kept else ""
    return Edit(Span(start, end), lead + text.replace("\n", newline))
