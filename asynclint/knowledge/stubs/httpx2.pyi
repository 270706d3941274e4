# It has the same class as httpx.

from .httpx import AsyncClient as AsyncClient
