"""Word conventions of UD English EWT: the lists behind ``words.py``. Everything is lower case unless said.

Drawn from the corpus' training section, and filled up with the common English affixes, abbreviations and units that it
happens not to hold.
"""

from __future__ import annotations

# Affixes that keep their hyphen: `anti-trust` is one word, `long-term` is three.
PREFIXES = frozenset(
    """ante anti arch be bi bio co counter cross cyber de e eco ex extra ferro hyper infra inter intra macro
    mega meta micro mid mini mono multi neo non over para peri post pre pro proto pseudo psycho quasi re
    semi socio sub super supra sur tele trans tri u uber ultra un uni""".split()
)
SUFFIXES = frozenset("able aholic esque ette fest fold gate ish itis less rama style wise".split())

# Written as one, cut in two after this many letters. Only those that the corpus cuts more often than not.
JOINED = {
    "cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "wana": 3, "outta": 3, "gimme": 3, "lemme": 3,
    "sorta": 4,
    "dont": 2, "didnt": 3, "doesnt": 4, "couldnt": 5, "wouldnt": 5, "shouldnt": 6, "wont": 2, "cant": 2,
    "isnt": 2, "arent": 3, "arnt": 2, "aint": 2, "wasnt": 3, "werent": 4, "havent": 4, "hasnt": 3, "hadnt": 3,
    "im": 1, "ive": 1, "youre": 3, "youve": 3, "youll": 3, "theyre": 4, "theyve": 4, "theyll": 4, "weve": 2,
    "thats": 4, "theres": 5, "heres": 4, "whats": 4, "wheres": 5, "hows": 3, "hes": 2, "shes": 3, "itll": 2,
    "lets": 3, "elses": 4,
}  # fmt: skip

# Cut off a word when an apostrophe stands before them.
CLITICS = frozenset("s m re ve ll d".split())

# `5pm`, `$3M`, `35mm`: the number and the unit are two words; `5th`, `90s`, `4G` are one.
UNITS = frozenset(
    """am pm a.m p.m k m mm mn bn b t tn mil million billion lb lbs oz kg mg km cm ft f hz khz mhz ghz kb
    mb gb tb kw kwh mw mwh watt watts hh hp hr hrs min mins minute minutes sec secs hour hours day days yr yrs
    year years mi mph kph p sqft acres people persons percent""".split()
)

# These take their full stop with them. A sentence may end there, and then the stop is a word of its own.
ABBREVIATIONS = frozenset(
    """dr mr mrs ms prof st ft mt sgt capt col cpt cmdr maj gen lt rev hon gov sen sens rep reps pres supt
    atty jr sr vs etc inc corp co ltd llc bros dept univ assn mfg jan feb apr jun jul aug sept sep oct nov
    dec tue tues thu thur thurs ave blvd rd hwy apt ste bldg vol eds ext tel ph attn approx est incl
    cf eg ie viz nos arrv lv spec conf para mob esp que ass't dist calif conn fla mich minn okla penn tenn
    al lb oz yrs mins et pp fig figs ref refs sq tbsp tsp vols""".split()
)
# With this capital only: `Sat.` is a day, `sat.` the end of a sentence.
NAMES = frozenset("Mon Wed Fri Sat Sun La Va Sec Fig No".split())
# Those after which no sentence ends: a name or a number follows.
TITLES = frozenset("dr mr mrs ms prof st ft mt sgt capt col gen lt rev hon gov sen rep vs attn et".split())

# A sentence ends between an abbreviation and one of these, which begin sentences and are hardly ever names.
OPENERS = frozenset(
    """After Although And As Because Before But Did Do Does Each Every For He Her His How However I If Is It Its My No
    Not Now Our Please She So Some Such Thanks That The Their Then There These They This Those Was We Were What When
    Where Which While Who Why With Yes You Your""".split()
)
CONTINUED = TITLES | frozenset("ca cf e.g eg i.e ie v viz vs".split())  # the sentence goes on behind these
# No sentence ends between these and a number: `see fig. 2`, `ref. no. 12345`.
NUMBERED = frozenset(
    """art ch chap cl div eq eqs ex fig figs no nos op p par para pg pgs pp pt ref refs reg sec sect tab ver vol
    vols""".split()
)
# Nor, behind a number, between these and a small letter: `20 min. by car`.
MEASURES = frozenset(
    """cm cu doz ft g gal h hr hrs in kg km lb lbs m mg mi min mins ml mm oz pkg pt pts qt qts sec secs sq tbsp tsp yd
    yds yr yrs""".split()
)
# Nor between these and a small letter or a number: `max. speed`, `approx. 5 km`.
SHORTENED = frozenset(
    """approx avg ca cont dept encl est excl ext fig figs govt incl intl max med mfg min misc natl op ref refs sq
    tbsp temp tsp""".split()
)
# A sentence may begin with these in small letters.
SUBJECTS = frozenset("i he she it its we they you this that there then but so and im".split())

# Parts of a pattern: what makes `example.org` and `report.doc` one word.
TOP_LEVEL_DOMAINS = r"com|org|net|edu|gov|mil|info|biz|(?:co|ac|org)\.uk|gc\.ca|uk|us|ca|de|fr|au|tv|io"
FILE_EXTENSIONS = r"docx?|xlsx?|pptx?|pdf|txt|html?|jpe?g|gif|png|zip|exe|mp[34]|avi|url|csv|rtf|php|asp|js|py"

# `its` before one of these is `it` + `s`.
ITS_FOLLOWERS = frozenset(
    """a an the not really simply very like just also so too been always never still now in on to for because
    easy great good nice all only""".split()
)
