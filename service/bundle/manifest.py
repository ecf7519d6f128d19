"""Schema of a bundle's manifest, with its limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
VOCABULARIES = "vocabularies.json"
SUBWORDS = "subwords.model"
EXAMPLES = "examples.json"
CARD = "CARD.md"

MAX_MANIFEST_BYTES = 2**20
MAX_READ_BYTES = 2**26  # of a file that is read as a whole: vocabularies, subwords, examples, card
MAX_FILE_BYTES = 2**32
MAX_FILES = 64
# A run of the longest text that a limit allows is made before the service is ready: far above what networks are trained
# for, it would keep the start busy for minutes, or take all memory.
MAX_LIMIT = 8192
MAX_FEATURES = 1024
MAX_AXIS_SIZE = 2**20
MAX_AXES = 8

# And where it is asked for: /tag, /classify.
Task = Literal["tag", "classify", "translate", "generate"]
SUBWORD_TASKS: tuple[Task, ...] = ("translate", "generate")  # whose units are a sentencepiece model's

# A plain name: no folder, no way out of one, nothing hidden.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]

Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
NumFeatures = Annotated[int, Field(ge=1, le=MAX_FEATURES)]
AxisSize = Annotated[int, Field(ge=1, le=MAX_AXIS_SIZE)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class File(_Part):
    """Size and checksum of a file of the bundle."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0, le=MAX_FILE_BYTES)


class Tensor(_Part):
    """Input or output of the graph; ``shape`` in axis words, or a number where it is fixed."""

    name: str
    type: Literal["int8", "int32", "int64", "float32"]
    shape: tuple[AxisSize | str, ...] = Field(max_length=MAX_AXES)


class Precision(_Part):
    """A variant of the graph."""

    file: FileName
    encoder: FileName | None = Field(
        None, description="a translator's or language model's other graph; ``file`` is the step"
    )
    metrics: dict[str, float]
    max_drift: float = Field(ge=0, description="most by which a score may differ between this graph and its examples")


class Corpus(_Part):
    """A corpus that the weights were trained on, and its terms."""

    name: str
    use: str
    licence: str
    source: str


class PairEntry(_Part):
    """Source and target language, and the subword that asks for the target."""

    source: str
    target: str
    tag: str


class Manifest(_Part):
    """Description of a model, complete enough to judge it before it is loaded."""

    format_version: int
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=64)
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.+-]*$", max_length=64)
    task: Task
    default: bool = Field(False, description="answers for its task when no model is named")
    languages: tuple[str, ...]
    pairs: tuple[PairEntry, ...] = Field((), description="what a translator translates")
    description: str
    licence: str
    commercial_use: bool | None = Field(None, description="whether the terms of all corpora allow it; None: not said")
    corpora: tuple[Corpus, ...]
    features: dict[str, NumFeatures]
    labels: dict[str, tuple[str, ...]]
    multi_label: bool = Field(False, description="whether a text may have several labels of a classifier, or none")
    thresholds: dict[str, Threshold] | None = Field(None, description="by label, the least score of a text that has it")
    groups: dict[str, tuple[str, ...]] | None = Field(None, description="coarser classes of a classifier, by name")
    limits: dict[str, Limit]
    coverage_weight: float = Field(
        0.0, ge=0, le=10, description="of the coverage penalty beside a translation's score (Wu et al. 2016)"
    )
    confidence: dict[str, Any] | None = Field(None, description="a translator's calibration: what, weights, bias, ...")
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    precisions: dict[str, Precision]
    default_precision: str
    default_reason: str
    metrics: dict[str, Any]
    files: dict[FileName, File] = Field(max_length=MAX_FILES)

    @field_validator("format_version")
    @classmethod
    def _readable(cls, version: int) -> int:
        """Check the version with the first field: a later format is named as such and not as full of unknown fields."""
        if version != FORMAT_VERSION:
            raise ValueError(f"this service reads {FORMAT_VERSION}, not {version}")
        return version

    @field_validator("version")
    @classmethod
    def _ordered(cls, version: str) -> str:
        """Check that versions can be compared: of several one must be the highest."""
        try:
            Version(version)
        except InvalidVersion as error:
            raise ValueError("not a version such as 1.0.0, 1.1.0rc1 or 2.0") from error
        return version

    @model_validator(mode="after")
    def _readable_at_once(self) -> Self:
        for name in (VOCABULARIES, SUBWORDS, EXAMPLES, CARD):
            if name in self.files and self.files[name].size_bytes > MAX_READ_BYTES:
                raise ValueError(f"{name} is read as a whole and may have {MAX_READ_BYTES} bytes")
        return self


def required_files(manifest: Manifest) -> list[str]:
    words = SUBWORDS if manifest.task in SUBWORD_TASKS else VOCABULARIES
    graphs = [file for variant in manifest.precisions.values() for file in (variant.file, variant.encoder) if file]
    return [words, EXAMPLES, CARD, *graphs]
