"""Progress bars, plain where tqdm is not installed (the serving install has none)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def track(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    """Pass items on while showing on standard error how many are done."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        yield from _track_plainly(items, total=total, label=label)
        return
    yield from tqdm(items, total=total, desc=label, mininterval=2.0)


def _track_plainly(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    for done, item in enumerate(items, 1):
        yield item
        if done == total or done % max(1, total // 10) == 0:
            print(f"{label}: {done} of {total}", file=sys.stderr)
