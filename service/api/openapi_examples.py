"""Examples of requests in the API's description, by route and name. A test sends every one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.api.problems import LIBRETRANSLATE

LIBRETRANSLATE_PATH = f"{LIBRETRANSLATE}translate"
EXAMPLES: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "/tag": {
        "text": {"text": "Alice moved to Hong Kong."},
        "tokens": {"tokens": [["Alice", "plays", "well"], ["Bob", "too"]], "tasks": ["pos"]},
        "several": {"text": ["Alice moved to Hong Kong.", ""], "truncate": True, "offset_unit": "utf16"},
        "conllu": {"text": ["Alice moved to Hong Kong.", "She likes it."], "format": "conllu"},
        "spacy": {"text": "Alice moved to Hong Kong.", "format": "spacy"},
    },
    "/classify": {"text": {"text": "It was not bad at all."}, "several": {"text": ["It was good.", "It was not."]}},
    "/translate": {
        "text": {"text": "I love this book.", "target": "es"},
        "several": {"text": ["I love this book. It was cheap.", "Where is it?"], "target": "es", "beam_size": 1},
        "hypotheses": {"text": "I love this book.", "target": "es", "num_hypotheses": 4, "attention": True},
        "stream": {"text": "I love this book. It was cheap.", "target": "es", "stream": True},
        "region": {"text": "Where is the station?", "source": "en-GB", "target": "es-MX"},
    },
    "/generate": {
        "prompt": {"prompt": "Thank you for your message. I"},
        "likeliest": {"prompt": ["The students opened their", ""], "temperature": 0, "max_tokens": 5, "logprobs": 3},
        "samples": {"prompt": "The report", "num_samples": 3, "top_p": 0.9, "seed": 7, "stop": ["\n", "."]},
        "stream": {"prompt": "The report", "stream": True},
        "state": {"prompt": "My name is Alice.", "max_tokens": 8, "return_state": True},
    },
    "/score": {
        "text": {"text": "The report is ready."},
        "several": {"text": ["The keys are here.", "The keys is here."], "offset_unit": "utf16"},
        "choices": {"text": "The keys on the table ___ here.", "choices": ["are", "is"]},
    },
    LIBRETRANSLATE_PATH: {
        "text": {"q": "I love this book.", "source": "en", "target": "es"},
        "several": {"q": ["I love this book.", "Where is it?"], "source": "auto", "target": "es", "format": "html"},
        "alternatives": {"q": "I love this book.", "source": "en", "target": "es", "alternatives": 3},
    },
}
