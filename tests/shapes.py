"""Functions made of what programs do with tasks, coroutines and resources, put together at random.

Most make little sense; what counts is that their names, jumps and blocks meet in every order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

HEAD = """\
import asyncio, pytest, unittest
from contextlib import asynccontextmanager
async def work(): await asyncio.sleep(1)
def spawn(): return asyncio.create_task(work())
def look(job): return job is None
async def take(*jobs): return await asyncio.gather(*jobs)
async def items():
    try: yield 1
    finally: await work()
stray = None
"""
STARTS = """\
asyncio.create_task(work())
loop.create_task(work())
asyncio.ensure_future(work())
spawn()""".splitlines()
# {t} is one of two names of tasks, {s} starts one.
LINES = """\
{t} = {s}
{t} = {s}
{t}: object = {s}
{t}, tasks = {s}, [{s}, {s}]
tasks = [{s} for _ in range(3)]
tasks = {{{s}, {s}}}
tasks = []
tasks.append({s})
tasks[0] = {s}
mill.jobs.append({s})
mill.take({s})
mill.take([{t}], task={s})
mill.task = {t}
({s}).result()
({t} := {s})
await {s}
await asyncio.gather({s}, *tasks)
await asyncio.gather({t}, {t})
await asyncio.wait(tasks)
await asyncio.wait([{t}])
await asyncio.wait([{t}], timeout=1)
assert (await asyncio.shield({t})).done
flag and await {t}
[await {t} for {t} in tasks]
[job.result() for job in tasks]
mill.take(*tasks)
mill.take(lambda: {t}.cancel())
look({t})
print({t})
await {t}
await {t}
loop.run_until_complete({t})
{t}.cancel()
assert {t}.done()
assert {t}.exception() is None
del {t}
return {t}
return tasks
return {t}, tasks
return [{s}]
yield
yield {t}
nonlocal {t}
global {t}, stray
names = [{t} for {t} in range(3)]
job = work()
jobs = [work() for _ in range(2)]
jobs = [work(), work()]
await asyncio.gather(*jobs)
mill.take(jobs, [job])
mill.take(*job)
mill.take(job=work())
print(jobs)
return jobs
work().close()
await asyncio.gather(*[work() for _ in range(2)])
take(*(work() for _ in range(2)))
await job
await take(job)
mill.take(job)
asyncio.create_task(job)
print(job)
look(job)
assert job == 3
assert job is stray
job.close()
return work().__await__()
reader, writer = await asyncio.open_connection("", 1)
writer = await asyncio.start_server(print, port=0)
stray = asyncio.new_event_loop()
writer.close()
mill.take(writer)
mill.take(stray, await asyncio.start_server(print, port=0))
mill.writer = writer
asyncio.set_event_loop(asyncio.new_event_loop())
return writer, 1
stray.close()
ticks = items()
ticks = items()
await anext(ticks)
await ticks.asend(None)
await ticks.aclose()
mill.take(ticks)
return ticks
loop.run_until_complete(writer.close())
self.kept = asyncio.new_event_loop()
self._kept = {s}
self.kept.close()
await self._kept
await asyncio.sleep(1)
assert flag""".splitlines()
JUMPS = ["return", "return task", "raise ValueError", "break", "continue"]
ENDINGS = """\
task = loop.create_task(work())/await task
task = loop.create_task(work())/await task
tasks = [spawn() for _ in range(3)]/await asyncio.gather(*tasks)
job = work()/await job
writer = await asyncio.start_server(print, port=0)/writer.close()
stray = asyncio.new_event_loop()/stray.close()
assert flag/assert not flag""".splitlines()
BLOCKS = """\
async with mill:
with pytest.raises(ValueError):
if flag:
if flag:/else:
if await task:/elif other:/else:
if not task.done():
if task:/elif not stray.is_closed():/else:
try:/finally:
try:/except ValueError:/finally:
try:/except asyncio.CancelledError:
for _ in range(3):
for _ in range(3):/else:
for task in tasks:
for other in tasks:/else:
async for job in ticks:
with pytest.raises(StopAsyncIteration):
while True:
match flag:/case 1:/case _:
async def inner():
def inner():""".splitlines()
FUNCTIONS = """\
async def test_{n}(loop, mill, flag):
def test_{n}(loop, mill, flag):
async def helper_{n}(loop, mill, flag):
@pytest.fixture/async def fixture_{n}(loop, mill, flag):
@asynccontextmanager/async def context_{n}(loop, mill, flag):""".splitlines()
CLASSES = ["unittest.TestCase", "unittest.IsolatedAsyncioTestCase", "object"]
METHODS = """\
async def asyncSetUp(self, loop, mill, flag):/async def asyncTearDown(self):
def setUp(self):/def stop(self):""".splitlines()


def functions(seed: int, count: int) -> str:
    """A module of up to ``count`` functions and classes, those left out that Python can't compile."""
    chance = random.Random(seed)
    parts = [HEAD]
    for number in range(count):
        with suppress(SyntaxError):
            part = "\n".join(_one(chance, number)) + "\n"
            compile(part, "part", "exec")
            parts.append(part)
    return "\n".join(parts)


def _one(chance: random.Random, number: int) -> Iterator[str]:
    if chance.random() < 0.2:
        yield f"class C{number}({chance.choice(CLASSES)}):"
        for method in chance.choice(METHODS).split("/"):
            yield f"    {method}"
            yield from _block(chance, 2)
        return
    yield from chance.choice(FUNCTIONS).format(n=number).split("/")
    if chance.random() < 0.2:
        yield "    task = other = None"
    first, last = chance.choice(ENDINGS).split("/")
    yield f"    {first}"
    yield from _block(chance, 1)
    yield f"    {last}"


def _block(chance: random.Random, depth: int) -> Iterator[str]:
    indent = "    " * depth
    for _ in range(chance.randint(1, 3)):
        if depth < 4 and chance.random() < 0.4:
            first, *others = chance.choice(BLOCKS).split("/")
            yield indent + first
            inner = first.startswith("match")
            yield from () if inner else _block(chance, depth + 1)
            for other in others:
                yield indent + "    " * inner + other
                yield from _block(chance, depth + 1 + inner)
        else:
            lines = chance.choice((LINES, LINES, JUMPS, ["assert flag"]))
            yield indent + chance.choice(lines).format(
                t=chance.choice(("task", "other")), s=chance.choice(STARTS)
            )
