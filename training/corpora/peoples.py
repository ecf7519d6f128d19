"""Words for peoples, religions and languages (``Iraqi``, ``Muslims``), which some corpora label as places."""

from __future__ import annotations

from collections.abc import Sequence

_STEMS = frozenset(
    """
    afghan african albanian algerian american angolan arab arabic argentine argentinian armenian asian aussie australian
    austrian azeri aztec bangladeshi basque bavarian belarusian belgian bengali berber bolivian bosnian brazilian
    briton british bulgarian burmese burundian byzantine cambodian cameroonian canadian cantonese catalan chadian
    chechen chilean chinese colombian congolese croat croatian cuban cypriot czech dane danish dominican dutch
    ecuadorian egyptian english eritrean estonian ethiopian european filipino finnish finn flemish french frenchman
    frenchmen georgian german germanic ghanaian greek guatemalan gujarati haitian hawaiian hebrew hindi hispanic
    honduran hungarian icelandic indian indonesian iranian iraqi irish israeli italian ivorian jamaican japanese
    javanese jordanian kashmiri kazakh kenyan korean kurd kurdish kuwaiti kyrgyz lao latin latvian lebanese liberian
    libyan lithuanian macedonian malay malaysian maltese manx mandarin mexican moldovan mongol mongolian moroccan
    namibian nepalese nepali nicaraguan nigerian norman norwegian ottoman pakistani palestinian panamanian persian
    peruvian pole polish polynesian portuguese prussian punjabi rican roman romanian russian rwandan salvadoran samoan
    saudi scot scottish senegalese serb serbian sikh singaporean slovak slovene slovenian somali soviet spaniard
    spanish sudanese swede swedish swiss syrian taiwanese tajik tamil tanzanian telugu thai tibetan tunisian turk
    turkish ugandan ukrainian urdu uruguayan uzbek venetian venezuelan vietnamese welsh yemeni yiddish yoruba yugoslav
    zambian zimbabwean buddhist catholic christian hindu jew jewish muslim orthodox protestant shia shiite sunni
    """.split()
)
_DIRECTIONS = frozenset("north south east west northern southern eastern western latin central puerto new".split())


def names_a_people(words: Sequence[str]) -> bool:
    """Tell whether every part of a name is a people, religion or language: ``South Korean``, ``Serbs``,
    ``Anglo-American``."""
    lowered = [word.lower() for word in words if word != "-"]
    *before, last = lowered or [""]
    is_people = last in _STEMS or last.removesuffix("s") in _STEMS
    return is_people and all(word in _DIRECTIONS or word in _STEMS for word in before)
