"""Grade-school word problems, made as they are asked for: a start, a chain of events, a question.

Steps are uniform from 1 to 8 in training and evaluation, and from 9 to 12 in `word_problems_long`. The ranges of the
numbers are fixed (`arithmetic.py`): every value is a whole number from 2 to 999, at most 300 in 85 % of the problems;
what is added or taken away has one or two digits; factors and divisors are 2 to 10; percentages 10, 20, 25, 50 or 75.
"""

from reasonwright.tasks.word_problems.tables import WORDINGS
from reasonwright.tasks.word_problems.task import SFT_STYLES, LongWordProblems, WordProblems

__all__ = ["SFT_STYLES", "WORDINGS", "LongWordProblems", "WordProblems"]
