"""The lengths of film reviews, to make up reviews of such lengths."""

from __future__ import annotations

import math
import random

# Log-normal, in words between spaces.
MEDIAN, SIGMA, SHORTEST, LONGEST = 175, 0.7, 20, 1000


def draw_review_length(draw: random.Random) -> int:
    """Words between spaces."""
    num_words = round(draw.lognormvariate(math.log(MEDIAN), SIGMA))
    return min(LONGEST, max(SHORTEST, num_words))
