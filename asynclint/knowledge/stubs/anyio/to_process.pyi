# What gives a coroutine: https://anyio.readthedocs.io/en/stable/api.html

from typing import Any

async def run_sync(func: Any, *args: Any, **options: Any) -> Any: ...
