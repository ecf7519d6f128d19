from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.training.corpora.made_up_texts import write_encoder
from training.corpora.minilm import pretrained_folder
from training.networks.teacher import MAX_PIECES, Pieces, Teacher


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A sentence encoder of random weights."""
    folder = tmp_path_factory.mktemp("encoder")
    write_encoder(folder, folder / "scratch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPORA_CACHE_DIR", str(folder / "cache"))
        yield pretrained_folder(folder)


def teacher(pretrained, **choices) -> Teacher:
    torch.manual_seed(1)
    return Teacher(pretrained, 3, label_smoothing=0.0, **choices).eval()


def test_batched_equals_alone(pretrained):
    network, pieces = teacher(pretrained), Pieces(pretrained)
    rows = pieces.rows(["set an alarm for seven", "phone", "the great phone is broken"])
    batch = pieces.collate(rows, torch.zeros(0))
    together = network(batch.ids, batch.mask)
    for row, logits in zip(rows, together, strict=True):
        alone = pieces.collate([row], torch.zeros(0))
        torch.testing.assert_close(network(alone.ids, alone.mask)[0], logits, rtol=0, atol=1e-5)


def test_what_is_beyond_the_limit_is_not_read(pretrained):
    (row,) = Pieces(pretrained).rows(["phone " * 2 * MAX_PIECES])
    assert len(row) == MAX_PIECES


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_loss_is_the_cross_entropy_with_the_targets(pretrained, multi_label):
    network, pieces = teacher(pretrained, multi_label=multi_label), Pieces(pretrained)
    targets = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])
    batch = pieces.collate(pieces.rows(["phone", "great"]), targets)
    logits = network(batch.ids, batch.mask)
    if multi_label:
        own, other = logits.sigmoid().log(), (-logits).sigmoid().log()
        expected = -(targets * own + (1 - targets) * other).mean()
    else:
        expected = -(targets * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(network.loss(batch), expected)
