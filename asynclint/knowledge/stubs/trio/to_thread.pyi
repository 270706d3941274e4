# What gives a coroutine: https://trio.readthedocs.io/en/stable/reference-core.html

from typing import Any

async def run_sync(sync_fn: Any, *args: Any, **options: Any) -> Any: ...
