# Redis that lives in memory: https://fakeredis.readthedocs.io/

from .redis.asyncio import Redis

class FakeAsyncRedis(Redis): ...
