"""The rules, as data: whole words of a prompt as `reading` gives it, in lower case; `_` is a space.

To change a rule, add the prompts that it is for to tests/core/jobs/test_moderation.py, on both sides: what it must
stop, and the ordinary prompts nearest to it, which it must not.
"""

from dataclasses import dataclass
from typing import Literal

Category = Literal[
    "sexual_minors", "sexual_violence", "sexual_real_person", "graphic_violence", "hate", "self_harm", "dangerous"
]
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Broken where a word of each group is there. Words are patterns."""

    category: Category
    groups: tuple[Words, ...]


def _words(text: str) -> Words:
    return tuple(word.replace("_", " ") for word in text.split())


_MINOR = _words(r"""
    child(?:ren|like|ish)? kid(?:s|do|dos)? minors? toddlers? infants? bab(?:y|ies) preteens? pre_teens? tweens?
    teen(?:s|age|aged|ager|agers)? underaged? under_age juveniles? adolescents? school_?(?:girl|boy|child|kid)s?
    little_(?:girl|boy)s? young_(?:girl|boy)s? lolis? lolitas? lolicon shotas? shotacon kindergart\w+
    pre_?schoolers? (?:elementary|primary|middle|high)_?school(?:er|ers)? pupils?
    (?:[1-9]|1[0-7])_?(?:years?|yrs?|yr|y)_?olds? (?:[1-9]|1[0-7])_?y_?o age[ds]?_(?:of_)?(?:[1-9]|1[0-7])
    (?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)_years?_olds?
""")
_SEXUAL = _words(r"""
    sex sexy sexual(?:ly|ized|ised)? sexting porn\w* hentai nsfw xxx erotic\w* orgasm\w* masturbat\w+
    nud(?:e|es|ity|ist) naked topless bottomless undress(?:ed|ing|es)? lingerie strip_?(?:tease|per|pers|ping)
    genital\w* penis\w* vagina\w* pussy dicks? cocks? boobs? tits nipples? blow_?jobs? cum(?:shot|shots|ming)?
    fuck\w* intercourse seductive(?:ly)? provocative_pose spread_legs fetish\w* bdsm without_clothes no_clothes
""")
_SOFT = _words(r"sexy seductive(?:ly)? lingerie topless")
_EXPLICIT = tuple(word for word in _SEXUAL if word not in _SOFT)
_AGAINST_WILL = _words(r"""
    against_(?:her|his|their|my)_will non_?consensual\w* without_(?:her|his|their)_consent unconscious passed_out
    drugged forced forcibly forcing_(?:her|him|them) hidden_camera spy_?cam kidnapped enslaved
    (?:sleeping|asleep)_victims?
""")
_REAL_PERSON = _words(r"""
    celebrit(?:y|ies) famous_(?:actor|actress|singer|woman|man|person|athlete|influencer)
    real_(?:person|woman|man|girl|people)
    my_(?:ex|exes|girlfriend|boyfriend|wife|husband|neighbou?r|teacher|boss|classmate|co_?worker|colleague|sister|brother|mother|mom|mum|friend)\w*
    deep_?fakes? president prime_minister politician movie_star film_star pop_star
    (?:her|his|this)_(?:real_)?(?:face|photo) actress(?:es)? actors? lookalike_of princess_(?:kate|diana) first_lady
""")
_GORE = _words(r"""
    gor(?:e|y) behead(?:s|ed|ing|ings)? decapitat\w+ disembowel\w* dismember\w* mutilat\w+ eviscerat\w+ entrails
    severed_(?:head|heads|limb|limbs|arm|arms|leg|legs) guts_(?:spilling|hanging) flayed skinned_alive
    tortur(?:e|ed|ing) snuff bleeding_to_death brains?_blown_out hacked_to_pieces burn(?:ed|ing|t)_alive
""")
_PERSON = _words(r"""
    m[ae]n wom[ae]n persons? people humans? bod(?:y|ies) corpses? victims? girls? boys? child(?:ren)? soldiers?
    prisoners? hostages? civilians? protesters? family cops? police(?:man|men|woman)?
""")

RULES = (
    Rule(
        "sexual_minors",
        (
            _MINOR,
            _SEXUAL,
        ),
    ),
    Rule(
        "sexual_minors", (_words(r"ped(?:o|os|ophil\w*) paedophil\w* child_?porn\w* csam lolicon shotacon jail_?bait"),)
    ),
    Rule(
        "sexual_violence",
        (_words(r"rap(?:e|es|ed|ist|ists|ing) gang_?rap\w+ sexual(?:ly)?_(?:assault|abuse)\w* molest\w*"),),
    ),
    Rule(
        "sexual_violence",
        (
            _words(r"""
            revenge_porn upskirt\w* nudify\w* undress_(?:her|him|them|this|my) remove_(?:her|his)_cloth\w+
        """),
        ),
    ),
    Rule(
        "sexual_violence",
        (
            _AGAINST_WILL,
            _EXPLICIT,
        ),
    ),
    Rule(
        "sexual_real_person",
        (
            _REAL_PERSON,
            _EXPLICIT,
        ),
    ),
    Rule(
        "graphic_violence",
        (
            _GORE,
            _PERSON,
        ),
    ),
    Rule("hate", (_words(r"heil_hitler sieg_heil white_power gas_the_jews ethnic_cleansing_(?:is|now) race_war_now"),)),
    Rule(
        "hate",
        (
            _words(r"""
            swastikas? hakenkreuz\w* ss_runes? totenkopf nazi_(?:flag|salute|symbol|insignia|armband|propaganda)s?
            hitler_salute
        """),
        ),
    ),
    Rule(
        "hate",
        (
            _words(r"kkk ku_klux_klan"),
            _words(r"glor\w+ hero(?:es|ic)? recruit\w* proud(?:ly)? poster logo rally"),
        ),
    ),
    Rule("hate", (_words(r"niggers? kikes? faggots? gooks? wetbacks? ragheads?"),)),
    Rule(
        "self_harm",
        (
            _words(r"""
            how_to_(?:kill|hang|cut)_myself suicide_(?:method|instruction|tutorial|guide)s?
            how_to_(?:commit_suicide|self_?harm)
        """),
        ),
    ),
    Rule(
        "self_harm",
        (
            _words(r"""
            slit(?:ting)?_(?:wrists?|my_wrists?|her_wrists?|his_wrists?) cutting_(?:my|her|his)_wrists?
            self_?harm(?:ing)?
        """),
            _words(r"blood\w* realistic graphic step_by_step photo\w* close_?up"),
        ),
    ),
    Rule(
        "dangerous",
        (
            _words(r"""
            (?:how_to|instructions?(?:_to|_for)?|blueprints?(?:_of|_for)?|diagram_of|step_by_step|guide_to)
        """),
            _words(r"""
            pipe_?bombs? nail_?bombs? dirty_bombs? nerve_gas sarin ricin explosive_(?:device|vest)s? molotov\w*
            car_bombs? suicide_vests? build_a_bomb make_a_bomb ghost_guns?
        """),
        ),
    ),
    Rule(
        "hate",
        (
            _words(r"14_88 1488"),
            _words(r"skinheads? heil nazis? white_pride hitler"),
        ),
    ),
)

HARMLESS = _words(r"""
    naked_mole_?rats? naked_eye naked_flames? naked_(?:branch|tree|bulb|rock|wood)\w*
    nude_(?:lipstick|heels?|tones?|colou?rs?|palette|shade|shoes?|polish)
    sex_(?:education|of_the_(?:plant|flower|animal)) same_sex sex_and_the_city moby_dick
    dick_(?:van_dyke|tracy|turpin) philip_k_dick cocks?_(?:crow\w*|and_bull|fight\w*) weather_?cocks? pea_?cocks?
    gold_?tits (?:blue|great|coal|marsh|bearded|long_tailed)_tits? pussy_?(?:willow|cat|foot)s?
    strip(?:ped|ping)?_(?:mall|light|paint|wood)s? summa_cum_laude magna_cum_laude cum_laude
    bab(?:y|ies)_(?:blue|breath|s_breath|grand) kid_(?:leather|gloves?) goat_kids? kid_goats?
    baby_(?:bird|animal|elephant|deer|fox|rabbit|sea|turtle|dragon|yoda|carrot|corn|spinach|potato)\w*
    minor_(?:key|chord|scale|planet|repair|detail|characters?)s? gore_?tex al_gore gore_range rape_?seed\w*
    oil_?seed_rape rape_(?:field|blossom|flower|oil|crop)s? fields?_of_rape
    rape_of_(?:the_)?(?:sabine\w*|proserpina|europa|lucretia|lock) headless_horse_?m[ae]n
    (?:hindu|buddhist|jain|temple|diwali)(?:_\w+){0,3}_swastikas?
    swastikas?(?:_\w+){0,4}_(?:hindu|buddhist|jain|temple|diwali)\w* faggots_and_peas
    tortur(?:e|ed)_(?:artist|poet|soul|test)s? snuff_(?:box|boxes|bottle|bottles|tin) flayed_(?:ox|bark|leather)
    bath_bombs? cherry_bombs? photo_?bombs? bomb_cyclones? in_[b-g](?:_flat|_sharp)?_minor forced_perspective
""")
"""Ordinary phrases that hold a word of a rule; they are left out before the rules read the prompt."""
