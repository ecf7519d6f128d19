"""Items put back into translations: each where it belongs, and each exactly as often as in the source."""

from __future__ import annotations

import re
import string
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.casing import Casing
from service.text.placeholders.items import key, scan
from service.text.placeholders.masking import NAME_SYMBOLS, NUMBER_SYMBOLS, SYMBOLS, compose, mask
from service.text.placeholders.restoration import Style, join_parts, restore

ALPHABET = frozenset(string.ascii_letters + string.digits + " .,;:!?'\"-()%&<>=_*#@$+[]{}~`/|\\áéíóúñäöüßÑÉ¿¡º’“”«»")
N, M = NUMBER_SYMBOLS, NAME_SYMBOLS


def pieces_of(text):
    return re.findall(r" ?\w+| ?\S", text)


def in_order(num_targets, num_sources):
    """Attention that falls with the distance of the relative places."""
    targets, sources = ((np.arange(count) + 0.5) / max(count, 1) for count in (num_targets, num_sources))
    distances = np.abs(targets[:, None] - sources[None, :])
    return np.exp(-distances * max(num_targets, num_sources) * 2).astype(np.float32)


def translate(source, target, alignment="", **style):
    """``target`` with the items of ``source``; ``alignment`` pairs words of the masked source with those of the target,
    "0-1 1-0", and is attention in the order of the words if it is empty."""
    masked = mask(source, ALPHABET)
    sources, targets = ["", *pieces_of(masked.text), ""], pieces_of(target)
    weights = in_order(len(targets), len(sources))
    if alignment:
        weights = np.zeros((len(targets), len(sources)), np.float32)
        for link in alignment.split():
            left, right = map(int, link.split("-"))
            weights[right, left + 1] = 1
    chosen = Style(**{"language": "es", "alphabet": ALPHABET, **style})
    return restore(masked, sources=sources, targets=targets, attention=weights, style=chosen)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("In 1984, at 12:30.", f"En {N[0]}, a las {N[1]}.", "En 1984, a las 12:30."),
        ("In 1984, at 12:30.", f"A las {N[1]}, en {N[0]}.", "A las 12:30, en 1984."),
        ("{0} has 5.", f"{M[0]} tiene {N[0]}.", "{0} tiene 5."),
        ("In 1984.", f"En {N[0]} y {M[3]}.", "En 1984 y."),
        ("The 1st of May", f"El {N[0]}.º de mayo", "El 1.º de mayo"),
        ("It is 5 km away.", f"Está a {N[0]} km.", "Está a 5 km."),
        ("5 and 6 and 5", f"{N[2]} y {N[1]} y {N[0]}", "5 y 6 y 5"),
        ("It cost $5 then.", f"Costó {N[0]} $ entonces.", "Costó $5 entonces."),
        (" ".join(["5"] * 18) + " is it", f"{N[0]} y {N[0]} es", None),
    ],
)
def test_a_symbol_is_its_item(source, target, expected):
    found = translate(source, target)
    assert items_of(found.text) == items_of(source)
    if expected:
        assert found.text == expected


@pytest.mark.parametrize(
    ("source", "target", "alignment", "expected", "num_repairs"),
    [
        # the first one lost its symbol, the second has another's
        ("In 5 and 7 days", f"En {N[0]} y {N[5]} días", "0-0 1-1 2-2 3-3 4-4", "En 5 y 7 días", 0),
        ("See it at 12:30, Tom.", "Míralo, Tom.", "0-0 1-0 2-0 3-0 4-1 5-2 6-3", "Míralo 12:30, Tom.", 1),
        ("He has 5 cats here", "Él tiene gatos aquí", "0-0 1-1 2-2 3-2 4-3", "Él tiene 5 gatos aquí", 1),
        ("5 cats.", "Gatos.", "", "5 Gatos.", 1),
        ("Come at 12:30.", "Ven.", "", "Ven 12:30.", 1),
        ("He has 5 cats", f"Tiene {N[0]} o {N[0]} gatos", "0-0 1-0 2-3 3-4", "Tiene o 5 gatos", 1),
        ("He came", "Vino en 1984", "", "Vino en", 1),
        ("He came", "Vino WhatsApp", "", "Vino Whatsapp", 1),
        ("He came in 1984", "Vino en 1984", "", "Vino en 1984", 0),
        ("He came", "Vino **hoy**", "", "Vino hoy", 2),
    ],
)
def test_what_is_missing_is_inserted_and_what_is_invented_goes(source, target, alignment, expected, num_repairs):
    found = translate(source, target, alignment)
    assert (found.text, found.num_repairs) == (expected, num_repairs)


@pytest.mark.parametrize(
    ("source", "target", "alignment", "expected"),
    [
        ("<p>The cat is black.</p>", "El gato es negro.", "", "<p>El gato es negro.</p>"),
        ("The <b>black cat</b> is here.", "El gato negro está aquí.", "0-0 1-2 2-1 3-3 4-4 5-5",
         "El <b>gato negro</b> está aquí."),
        ("The <b>black</b> cat.", "El gato negro.", "0-0 1-2 2-1 3-3", "El gato <b>negro</b>."),
        ("A **very <i>big</i>** dog", "Un perro muy grande", "0-0 1-2 2-3 3-1", "Un perro **muy <i>grande</i>**"),
        ("Click [this link](http://a.b/c) now.", "Pulsa ahora este enlace.", "0-0 1-2 2-3 3-1 4-4",
         "Pulsa ahora [este enlace](http://a.b/c)."),
        ("Line one<br>line two", "Línea uno línea dos", "", "Línea uno<br>línea dos"),
        ("Line one <br/> line two", "Línea uno línea dos", "", "Línea uno <br/> línea dos"),
        ("Tom &amp; Jerry are friends.", "Tom Jerry son amigos.", "", "Tom &amp; Jerry son amigos."),
        ("# A big title", "Un gran título", "", "# Un gran título"),
        ("Say &quot;yes&quot; now", 'Di "sí" ahora', "", "Di &quot;sí&quot; ahora"),
        ("<p>One.</p><p>Two.</p>", "Uno. Dos.", "", "<p>Uno.</p><p>Dos.</p>"),
        ("<b></b>It is <i>5</i> o'clock", f"Son las {N[0]} horas", "0-0 1-0 2-2 3-3 4-3 5-3",
         "<b></b>Son las <i>5</i> horas"),
        ("He <b>said</b> <i>no</i> to it", "Lo negó", "0-0 1-0 2-1 3-0 4-0", "<b>Lo</b> <i>negó</i>"),
        ("Price* of it", "Precio de eso", "", "Precio* de eso"),
        ("a </b> c", "a c", "", "a </b> c"),
        ("The <b>black cat", "El gato negro", "0-0 1-2 2-1", "El <b>gato negro"),
        ("The black cat</b> sleeps", "El gato negro duerme", "0-0 1-2 2-1 3-3", "El gato negro</b> duerme"),
    ],
)  # fmt: skip
def test_markup_is_put_around_or_before_the_words_that_it_had(source, target, alignment, expected):
    assert translate(source, target, alignment).text == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("5 and 234 days", f"{N[0]} {N[1]} días", "5  234 días"),
        ("It was -5 there", f"Eran{N[0]} allí", "Eran -5 allí"),
        ("The x_y is it", f"el{M[0]}es eso", "el x_y es eso"),
        ("In {0}{1} of it", f"En {M[0]}{M[1]} de eso", "En {0}{1} de eso"),
        ("😀 he said 😀", f"{M[0]}{M[1]} dijo", "😀😀 dijo"),
        ("= and = are it", f"{M[0]}{M[1]} son eso", "= = son eso"),
    ],
)
def test_items_that_would_be_read_as_others_are_kept_apart(source, target, expected):
    alphabet = ALPHABET - {"="}
    masked = mask(source, alphabet)
    style = Style(language="es", alphabet=alphabet)
    sources, targets = pieces_of(masked.text), pieces_of(target)
    attention = in_order(len(targets), len(sources))
    assert restore(masked, sources=sources, targets=targets, attention=attention, style=style).text == expected


def test_where_nothing_else_can_be_done_the_source_is_its_translation():
    source = "`the`code`the"
    found = translate(source, "")
    assert found.text == source
    assert found.num_repairs >= 100


def test_a_mark_behind_a_word_is_behind_what_comes_from_its_last_visible_piece():
    """A piece that is a space alone has no attention."""
    masked = mask("one two* three", ALPHABET)
    weights = np.eye(4, dtype=np.float32)[[0, 1, 3]]
    style = Style(language="es", alphabet=ALPHABET)
    sources, targets = ["one", " two", " ", "three"], ["uno", " dos", " tres"]
    found = restore(masked, sources=sources, targets=targets, attention=weights, style=style)
    assert found.text == "uno dos* tres"


@pytest.mark.parametrize(
    ("source", "pieces", "expected"),
    [
        ("well, a +44 20 7946", ["bien", " ", "a +44 20 7946"], "bien a +44 20 7946"),
        ("It is 5, 000 is it", ["Es 5", " ", "000 es"], "Es 5   000 es"),
        ("x_y z", ["x_y", "z"], "x_y z"),
        ("no items", ["1"], "no items"),
        ("e\u0301 5", ["e\u0301", " ", "5"], "é 5"),
    ],
)
def test_parts_are_joined_with_the_items_of_the_sentence_and_no_others(source, pieces, expected):
    assert join_parts(source, pieces, Style(language="es", alphabet=ALPHABET)) == expected


def test_capitals_are_for_words_and_not_for_items_or_their_endings():
    found = translate("THE 1ST x_y IS IT", f"el {N[0]}er {M[0]} año es", casing=Casing.CAPITALS)
    assert found.text == "EL 1er x_y AÑO ES"


def test_numbers_are_written_as_the_language_does_where_that_is_wanted():
    found = translate(
        "It is 1,234.5 or 50% at 12:30", f"Es {N[0]} o {N[1]} a {N[2]}", language="de", localizes_numbers=True
    )
    assert found.text == "Es 1.234,5 o 50\u00a0% a 12:30"
    assert found.names == ("1.234,5", "50\u00a0%", "12:30")


def test_each_symbol_of_the_translation_has_a_name():
    found = translate("In {0} or 1984", f"{M[3]} {N[0]} {M[0]} {N[0]}")
    assert found.names == ("", "", "{0}", "1984")


def items_of(text, alphabet=ALPHABET):
    return Counter(item.text for item in scan(compose(text), alphabet))


def keys_of(text):
    return Counter(map(key, scan(compose(text), ALPHABET)))


WORDS = st.sampled_from(
    "the cat NASA don&#39;t &amp; **bold** *a* * # ## _x_ __y__ ~~z~~ `code` ` [link](http://a.b/c) ](u) "
    "[ <b> </b> <p> </p> <br/> <i>x</i> {0} {{x}} %s %d ${x} :name http://a.b/c?d=e. a@b.co @you #tag #5 "
    "/usr/bin/x C:\\x report.pdf snake_case camelCase foo() WhatsApp WhatsAppя COVID-19 v2.1.0 12:30 "
    "2024-05-01T10:30:00Z 000 5 -5 1,234.56 3-2 50% % $5 5€ A$20 USD km °C 1st 1990s 3pm 😀 ❤️ я 你好 \ue000 \ue015 "
    "C++ C# .NET = \\n \\ R&D &quot; ( ) \" “ & - ' x² ² « » é e\u0301 ``` <a".split()
)
SOURCES = st.lists(st.tuples(WORDS, st.sampled_from(["", " ", " ", ", ", "  "])), max_size=9)
TARGETS = st.lists(
    st.tuples(
        st.sampled_from(["", " ", " "]),
        st.sampled_from('la casa 5 12 % km € ( ) ¿ ! . , - camelCase ** * _ < </b> a_b @x # %s {0} ` " & ² er'.split())
        | st.sampled_from(SYMBOLS[:4] + SYMBOLS[16:20])
        | st.sampled_from(SYMBOLS),
    ),
    max_size=12,
)
STYLES = st.builds(
    Style,
    language=st.sampled_from(["es", "de", "fr"]),
    alphabet=st.just(ALPHABET),
    casing=st.sampled_from(Casing),
    localizes_numbers=st.booleans(),
)


@given(SOURCES, TARGETS, STYLES, st.integers(0, 2**32 - 1) | st.none())
def test_the_items_of_any_translation_are_those_of_its_source(source, target, style, seed):
    source, targets = "".join(map("".join, source)).strip(), ["".join(each) for each in target]
    masked = mask(source, ALPHABET)
    sources = ["", *pieces_of(masked.text), ""]
    shape = len(targets), len(sources)
    attention = in_order(*shape) if seed is None else np.random.default_rng(seed).random(shape, np.float32)
    found = restore(masked, sources=sources, targets=targets, attention=attention, style=style)
    assert keys_of(found.text) == keys_of(source)
    assert len(found.names) == sum(target[-1] in SYMBOLS for target in targets)
    if not style.localizes_numbers:
        assert items_of(found.text) == items_of(source)
        assert items_of(found.text, None) == items_of(source, None)


@given(st.lists(WORDS, max_size=9).map(" ".join))
def test_a_translation_that_is_its_masked_source_comes_back_as_the_source(source):
    masked = mask(source, ALPHABET)
    pieces = pieces_of(masked.text)
    style = Style(language="de", alphabet=ALPHABET)
    found = restore(
        masked, sources=pieces, targets=pieces, attention=np.eye(len(pieces), dtype=np.float32), style=style
    )
    assert items_of(found.text) == items_of(source)
    assert found.num_repairs <= source.count("#")  # one that has lost what stood before it begins a heading
