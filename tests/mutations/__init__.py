"""Small valid files, damaged in ways that a number repeats, and what gpucnn makes of them.

``run(number, folder)`` is one case: it takes a `Seed`, changes its files, uses them as a caller would, and returns an `Outcome`. That is an
answer or an error of gpucnn's; anything else is a `Failure`.
"""

from .case import FAMILIES, run, start
from .judge import Failure, Outcome

__all__ = ["FAMILIES", "Failure", "Outcome", "run", "start"]
