"""Questions to neighbours are counted, with how long they took, and belong to a trace."""

import time
from collections.abc import Callable
from functools import wraps

from app.errors import Unavailable
from app.stages.services.observe import names, traces

Exchange = Callable[[str, str, bytes], bytes]


def watched(exchange: Exchange) -> Exchange:
    """Count what becomes of each question."""

    @wraps(exchange)
    def counted(service: str, path: str, body: bytes) -> bytes:
        begun, outcome = time.perf_counter(), "answered"
        try:
            with traces.asking(service, path):
                return exchange(service, path, body)
        except Unavailable:
            outcome = "unavailable"
            raise
        finally:
            ours = names.ours()
            names.QUESTIONS.labels(*ours, service, outcome).inc()
            names.QUESTION_SECONDS.labels(*ours, service).observe(time.perf_counter() - begun)

    return counted
