"""Pictures of the playground for docs/: ``python -m bench.playground.pictures [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from bench.playground.browser import PANES, Page, browser
from bench.process import ROOT, ServiceProcess

FOLDER = ROOT / "docs" / "reports" / "playground"
MOST_BYTES = 120_000
SIZE = (1080, 800)
COLOURS = 128
DARK = ("translate", "generate")  # one shows the light page, another the dark


def prepare(page: Page, pane: str) -> None:
    """Do what makes a pane worth a picture."""
    if pane == "translate":
        page.all("#translate-out [role=button]")[3].click()
        page.all("#translate-out summary")[1].click()
    if pane == "generate":
        page.until(lambda: len(page.all("#generate-out .tokens [role=button]")) > 20)
        page.all("#generate-out .tokens [role=button]")[14].click()


def shrink(path: Path) -> None:
    """Write a picture anew with few colours. Raises ValueError if that does not make it small."""
    image = Image.open(path).convert("RGB")
    image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}")


def main(folder: Path) -> None:
    with ServiceProcess(models_dir=ROOT / "models") as service, browser() as page:
        page.url = f"{service.url}/"
        for pane in PANES:
            page.open(pane, size=SIZE, theme="dark" if pane in DARK else "light")
            page.settle(pane)
            prepare(page, pane)
            page.picture(folder / f"{pane}.png", SIZE)
            shrink(folder / f"{pane}.png")
            sys.stdout.write(f"{folder / pane}.png: {(folder / f'{pane}.png').stat().st_size} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
