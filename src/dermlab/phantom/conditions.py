"""The catalogue: 25 target conditions from the commonest to the rarest, and the pool of others.

Look-alikes share most of their style, and `looks_like` names them: cases are blended towards them, and label errors
fall mostly between them. The answers follow the shape of SCIN's questionnaire (Ward et al. 2024).
"""

from dataclasses import dataclass, field, replace

from dermlab.phantom.recipes import Style

BODY_PARTS = {  # where a photo can be taken -> the questionnaire's word for it
    "face": "head_or_neck", "scalp": "head_or_neck", "neck": "head_or_neck", "arm": "arm", "palm": "palm",
    "back_of_hand": "back_of_hand", "torso_front": "torso_front", "torso_back": "torso_back", "groin": "genitalia_or_groin",
    "buttocks": "buttocks", "leg": "leg", "foot_top": "foot_top_or_side", "foot_sole": "foot_sole", "nail": "other",
}  # fmt: skip


@dataclass(frozen=True, eq=False)  # one object a condition: compared and hashed as such
class Condition:
    name: str
    style: Style
    # `sites`, `layouts`: odds
    sites: dict[str, float]
    layouts: dict[str, float]
    looks_like: tuple[str, ...]
    # `raised`, `growing`: chance that a patient reports it
    raised: float = 0.5
    flat: float = 0.2
    rough: float = 0.2
    fluid: float = 0.05
    itch: float = 0.4
    pain: float = 0.1
    burning: float = 0.1
    bleeding: float = 0.03
    darkening: float = 0.05
    growing: float = 0.2
    fever: float = 0.02
    days: float = 30.0  # median duration
    age: float = 40.0
    female: float = 0.55
    category: str = "RASH"
    spread: float = 0.14  # how much cases differ (standard deviation of the logarithm of each style number)
    tone_bias: float = field(default=0.0)  # Monk tones added, where a condition is seen or reported more on darker skin


LIMBS = {"arm": 3, "leg": 3, "back_of_hand": 1, "foot_top": 0.5}
TRUNK = {"torso_front": 2, "torso_back": 2}
ANYWHERE = LIMBS | TRUNK | {"neck": 1, "face": 1}

_eczema = Style(count=4, size=0.15, size_spread=0.5, irregular=0.6, soft=0.5, blood=0.55, scale=0.25, relief=0.15, lines=0.35, crust=0.08)
_papules = Style(count=13, size=0.032, size_spread=0.3, irregular=0.15, soft=0.45, blood=0.65, relief=0.5)
_pigment = Style(count=4, size=0.17, size_spread=0.4, irregular=0.8, soft=0.45, melanin=0.5, patchy=0.2)

TARGETS: tuple[Condition, ...] = (
    Condition(
        "eczema", _eczema, ANYWHERE | {"palm": 0.5}, {"patches": 4, "grouped": 2, "scattered": 2},
        ("psoriasis", "contact dermatitis", "seborrheic dermatitis", "tinea", "scabies"),
        raised=0.5, rough=0.45, itch=0.75, burning=0.25, days=60, age=35, spread=0.3,
    ),
    Condition(
        "acne", replace(_papules, pustule=0.3, punctum=0.35, satellites=3, count=15),
        {"face": 6, "torso_back": 1.5, "torso_front": 1}, {"scattered": 3, "grouped": 1},
        ("rosacea", "folliculitis"), raised=0.8, fluid=0.15, itch=0.15, pain=0.3, days=300, age=24, category="ACNE",
    ),
    Condition(
        "psoriasis", replace(_eczema, soft=0.16, blood=0.8, scale=0.75, relief=0.35, irregular=0.25, lines=0.0, crust=0.02),
        LIMBS | TRUNK | {"scalp": 1}, {"scattered": 4, "patches": 2, "single": 1}, ("eczema", "tinea", "seborrheic dermatitis"),
        raised=0.6, rough=0.6, itch=0.55, bleeding=0.08, days=500, age=46,
    ),
    Condition(
        "seborrheic dermatitis", replace(_eczema, scale=0.35, crust=0.6, blood=0.32, lines=0.0, size=0.13),
        {"face": 5, "scalp": 2, "torso_front": 1.5}, {"patches": 4, "scattered": 1}, ("eczema", "psoriasis", "rosacea"),
        raised=0.3, flat=0.3, rough=0.6, itch=0.5, days=250, age=44, female=0.4,
    ),
    Condition(
        "contact dermatitis", replace(_eczema, blood=0.95, soft=0.16, vesicle=0.45, scale=0.05, lines=0.0, relief=0.3),
        {"back_of_hand": 2, "arm": 3, "face": 1.5, "neck": 1.5, "leg": 1.5}, {"linear": 2, "patches": 3, "grouped": 1},
        ("eczema", "urticaria", "herpes zoster"), raised=0.6, fluid=0.3, itch=0.8, burning=0.4, days=6, age=38,
    ),
    Condition(
        "urticaria", Style(count=7, size=0.11, size_spread=0.5, irregular=0.6, soft=0.3, blood=0.5, pale=0.1, relief=0.7),
        ANYWHERE, {"scattered": 4, "patches": 1}, ("insect bite", "contact dermatitis", "drug rash"),
        raised=0.85, rough=0.05, itch=0.9, burning=0.2, days=2, age=34,
    ),
    Condition(
        "tinea", replace(_eczema, count=2.2, size=0.2, ring=0.9, soft=0.14, scale=0.3, blood=0.85, lines=0.0, irregular=0.2,
            relief=0.4),
        LIMBS | TRUNK | {"groin": 2, "foot_sole": 1}, {"single": 2, "scattered": 2},
        ("eczema", "psoriasis", "pityriasis rosea"), raised=0.45, rough=0.5, itch=0.65, growing=0.5, days=28, age=33, female=0.4,
    ),
    Condition(
        "folliculitis", replace(_papules, count=18, size=0.026, pustule=0.8),
        {"leg": 3, "buttocks": 2, "torso_front": 1, "torso_back": 2, "neck": 1, "scalp": 0.5}, {"scattered": 4, "grouped": 1},
        ("insect bite", "acne", "scabies"), raised=0.8, fluid=0.2, itch=0.45, pain=0.3, days=14, age=32, female=0.45,
    ),
    Condition(
        "insect bite", replace(_papules, count=6, size=0.05, size_spread=0.35, punctum=0.45, soft=0.55),
        LIMBS | {"neck": 1, "face": 0.7, "torso_back": 1}, {"grouped": 3, "linear": 1, "scattered": 2},
        ("folliculitis", "urticaria", "scabies"), raised=0.85, fluid=0.1, itch=0.85, pain=0.15, days=3, age=34,
    ),
    Condition(
        "rosacea", Style(count=3, size=0.26, irregular=0.6, soft=0.75, blood=0.75, relief=0.15, vessels=0.8, satellites=8,
            pustule=0.2),
        {"face": 1}, {"symmetric": 3, "patches": 2}, ("acne", "seborrheic dermatitis", "contact dermatitis"),
        raised=0.5, flat=0.4, itch=0.2, burning=0.5, days=400, age=49, female=0.7, tone_bias=-2.0,
    ),
    Condition(
        "wart", Style(count=2, size=0.05, size_spread=0.4, irregular=0.4, soft=0.14, pale=0.2, relief=0.85, scale=0.4,
            punctum=0.4, patchy=0.3),
        {"back_of_hand": 2, "palm": 2, "foot_sole": 3, "arm": 0.5, "leg": 0.5, "face": 0.5}, {"single": 3, "grouped": 2},
        ("seborrheic keratosis", "molluscum contagiosum"), raised=0.85, rough=0.5, itch=0.1, pain=0.3, growing=0.45, days=200,
        age=28,
        category="GROWTH_OR_MOLE",
    ),
    Condition(
        "nevus", Style(count=1.3, size=0.06, size_spread=0.4, irregular=0.15, soft=0.2, melanin=1.2, relief=0.2, patchy=0.15),
        TRUNK | {"arm": 1, "leg": 1, "face": 1, "neck": 0.7}, {"single": 5, "scattered": 1}, ("seborrheic keratosis",),
        raised=0.5, flat=0.45, rough=0.05, itch=0.1, darkening=0.35, growing=0.35, days=2500, age=38, category="GROWTH_OR_MOLE",
        tone_bias=-1.0,
    ),
    Condition(
        "seborrheic keratosis",
        Style(count=1.8, size=0.075, size_spread=0.4, irregular=0.35, soft=0.12, melanin=0.85, relief=0.5, scale=0.3, patchy=0.5),
        TRUNK | {"face": 1.5, "neck": 0.7, "arm": 0.5}, {"single": 3, "scattered": 2}, ("nevus", "wart"),
        raised=0.75, rough=0.45, itch=0.25, darkening=0.35, growing=0.4, days=1200, age=64, category="GROWTH_OR_MOLE",
    ),
    Condition(
        "melasma", _pigment, {"face": 1}, {"symmetric": 4, "patches": 1}, ("post-inflammatory hyperpigmentation", "nevus"),
        raised=0.05, flat=0.85, rough=0.05, itch=0.05, darkening=0.7, days=600, age=38, female=0.9, category="PIGMENTARY_PROBLEM",
    ),
    Condition(
        "vitiligo", Style(count=3, size=0.2, size_spread=0.5, irregular=0.8, soft=0.12, pale=0.85),
        {"face": 2, "back_of_hand": 3, "arm": 1, "neck": 1, "torso_front": 1, "leg": 1}, {"patches": 2, "symmetric": 2,
            "scattered": 1},
        ("seborrheic dermatitis",), raised=0.03, flat=0.9, rough=0.03, itch=0.08, growing=0.5, days=900, age=33,
        category="PIGMENTARY_PROBLEM", tone_bias=1.5,
    ),
    Condition(
        "herpes zoster", Style(count=8, size=0.065, size_spread=0.4, irregular=0.5, soft=0.4, blood=0.85, vesicle=0.9,
            crust=0.1, relief=0.2),
        {"torso_front": 2, "torso_back": 3, "face": 1, "arm": 0.7, "leg": 0.7}, {"band": 1},
        ("herpes simplex", "contact dermatitis", "impetigo"), raised=0.7, fluid=0.5, itch=0.35, pain=0.75, burning=0.6,
        fever=0.1, days=5, age=58,
    ),
    Condition(
        "impetigo", Style(count=3, size=0.07, size_spread=0.4, irregular=0.6, soft=0.25, blood=0.55, crust=0.9, relief=0.25),
        {"face": 4, "arm": 1, "leg": 1, "neck": 0.5}, {"grouped": 3, "scattered": 1}, ("herpes simplex", "eczema",
            "herpes zoster"),
        raised=0.55, rough=0.4, fluid=0.35, itch=0.45, pain=0.3, growing=0.5, fever=0.06, days=6, age=24,
    ),
    Condition(
        "herpes simplex", Style(count=1.6, size=0.075, irregular=0.45, soft=0.35, blood=0.75, vesicle=0.9, crust=0.25,
            relief=0.25),
        {"face": 6, "groin": 1.5, "buttocks": 0.7}, {"grouped": 1}, ("impetigo", "herpes zoster"),
        raised=0.7, fluid=0.5, itch=0.4, pain=0.55, burning=0.5, days=4, age=33,
    ),
    Condition(
        "scabies", replace(_papules, count=18, size=0.02, blood=0.6, lines=0.6, crust=0.15, relief=0.35),
        {"back_of_hand": 3, "arm": 2, "torso_front": 2, "buttocks": 1, "leg": 1}, {"scattered": 3, "linear": 1},
        ("insect bite", "folliculitis", "eczema"), raised=0.75, rough=0.25, itch=0.95, days=30, age=32,
    ),
    Condition(
        "pityriasis rosea",
        Style(count=9, size=0.065, size_spread=0.35, elongation=0.5, irregular=0.25, soft=0.25, blood=0.45, ring=0.4,
            scale=0.35, relief=0.1),
        TRUNK | {"arm": 0.5, "neck": 0.3}, {"scattered": 1}, ("tinea", "psoriasis", "eczema", "drug rash"),
        raised=0.45, flat=0.35, rough=0.35, itch=0.45, days=14, age=27,
    ),
    Condition(
        "molluscum contagiosum",
        Style(count=7, size=0.036, irregular=0.08, soft=0.22, blood=0.12, pale=0.18, relief=0.85, gloss=0.5, punctum=0.75),
        {"torso_front": 2, "arm": 2, "leg": 1.5, "face": 1, "groin": 1}, {"grouped": 3, "scattered": 2}, ("wart", "folliculitis"),
        raised=0.9, rough=0.05, itch=0.25, growing=0.4, days=60, age=21, category="GROWTH_OR_MOLE",
    ),
    Condition(
        "onychomycosis", Style(count=2, size=0.14, irregular=0.6, soft=0.4, melanin=0.3, pale=0.25, scale=0.35, crust=0.6,
            relief=0.3),
        {"nail": 1}, {"grouped": 1}, ("psoriasis",), raised=0.25, rough=0.5, itch=0.05, pain=0.15, darkening=0.3, days=700,
        age=54,
        category="NAIL_PROBLEM",
    ),
    Condition(
        "alopecia areata", Style(count=1.4, size=0.24, irregular=0.2, soft=0.2, blood=0.05, pale=0.05),
        {"scalp": 1}, {"single": 2, "scattered": 1}, ("seborrheic dermatitis",), raised=0.03, flat=0.6, rough=0.05, itch=0.12,
        growing=0.5, days=90, age=32, category="HAIR_LOSS",
    ),
    Condition(
        "drug rash", Style(count=30, size=0.034, size_spread=0.5, irregular=0.5, soft=0.6, blood=0.5, relief=0.15),
        TRUNK | {"arm": 1, "leg": 1}, {"scattered": 1}, ("urticaria", "pityriasis rosea", "folliculitis"),
        raised=0.6, flat=0.4, itch=0.65, burning=0.2, fever=0.15, days=5, age=50,
    ),
    Condition(
        "post-inflammatory hyperpigmentation", replace(_pigment, count=7, size=0.065, irregular=0.5, melanin=0.5),
        {"face": 4, "arm": 1, "leg": 1.5, "torso_back": 1}, {"scattered": 2, "patches": 1, "symmetric": 1},
        ("melasma", "acne", "eczema"), raised=0.12, flat=0.75, rough=0.1, itch=0.12, darkening=0.6, days=200, age=31, female=0.65,
        category="PIGMENTARY_PROBLEM", tone_bias=1.5, spread=0.35,
    ),
)  # fmt: skip

POOL: tuple[Condition, ...] = (
    Condition(
        "lichen planus", Style(count=8, size=0.045, irregular=0.4, soft=0.15, violet=0.75, relief=0.4, gloss=0.35, lines=0.2),
        {"arm": 3, "leg": 2, "torso_back": 1}, {"grouped": 1, "scattered": 1}, ("psoriasis", "eczema"), raised=0.8, itch=0.8,
        days=90, age=48,
    ),
    Condition(
        "actinic keratosis", Style(count=3, size=0.05, irregular=0.5, soft=0.35, blood=0.35, scale=0.6, crust=0.15),
        {"face": 4, "back_of_hand": 2, "scalp": 0.5}, {"scattered": 1}, ("seborrheic keratosis", "eczema"),
        rough=0.75, itch=0.2, days=400, age=68, category="GROWTH_OR_MOLE", tone_bias=-2.5,
    ),
    Condition(
        "basal cell carcinoma", Style(count=1, size=0.075, irregular=0.25, soft=0.15, blood=0.3, relief=0.75, gloss=0.6,
            vessels=0.5, crust=0.25),
        {"face": 5, "neck": 1, "torso_back": 1}, {"single": 1}, ("nevus", "seborrheic keratosis"),
        raised=0.8, bleeding=0.4, growing=0.6, itch=0.1, days=300, age=67, category="GROWTH_OR_MOLE", tone_bias=-2.0,
    ),
    Condition(
        "keloid", Style(count=1.2, size=0.12, elongation=0.65, irregular=0.3, soft=0.12, violet=0.35, relief=0.9, gloss=0.4),
        {"torso_front": 3, "neck": 1, "arm": 1}, {"single": 1}, ("wart",), raised=0.95, itch=0.5, pain=0.3, days=800, age=31,
        category="GROWTH_OR_MOLE", tone_bias=2.0,
    ),
    Condition(
        "granuloma annulare", Style(count=1.5, size=0.17, irregular=0.25, soft=0.2, blood=0.4, ring=0.85, relief=0.55),
        {"back_of_hand": 3, "foot_top": 2, "arm": 1}, {"single": 1, "scattered": 1}, ("tinea",), raised=0.8, itch=0.2,
        days=150, age=39,
    ),
    Condition(
        "cherry angioma", Style(count=5, size=0.02, size_spread=0.4, irregular=0.1, soft=0.15, blood=1.5, violet=0.3,
            relief=0.5, gloss=0.3),
        TRUNK, {"scattered": 1}, ("nevus",), raised=0.6, bleeding=0.15, itch=0.03, days=900, age=55, category="GROWTH_OR_MOLE",
    ),
    Condition(
        "epidermoid cyst", Style(count=1, size=0.13, irregular=0.08, soft=0.5, blood=0.15, relief=1.0, punctum=0.8),
        {"torso_back": 3, "neck": 2, "face": 1}, {"single": 1}, ("acne",), raised=0.95, pain=0.35, growing=0.5, itch=0.08,
        days=250, age=44,
        category="GROWTH_OR_MOLE",
    ),
    Condition(
        "hidradenitis suppurativa", Style(count=5, size=0.06, size_spread=0.5, irregular=0.4, soft=0.4, blood=0.5, violet=0.4,
            relief=0.7, pustule=0.4),
        {"groin": 1}, {"grouped": 1, "linear": 1}, ("folliculitis", "acne"), raised=0.85, fluid=0.45, pain=0.85, itch=0.2,
        days=500, age=32,
    ),
    Condition(
        "tinea versicolor", Style(count=16, size=0.045, size_spread=0.5, irregular=0.6, soft=0.2, pale=0.35, scale=0.15),
        TRUNK | {"neck": 1}, {"scattered": 1}, ("vitiligo", "pityriasis rosea"), raised=0.08, flat=0.8, rough=0.25, itch=0.25,
        days=90, age=26,
        category="PIGMENTARY_PROBLEM", tone_bias=1.0,
    ),
    Condition(
        "purpura", Style(count=34, size=0.014, size_spread=0.5, irregular=0.4, soft=0.3, violet=1.0, blood=0.3),
        {"leg": 4, "foot_top": 1}, {"scattered": 1}, ("drug rash", "insect bite"), raised=0.15, flat=0.75, itch=0.15, days=6,
        age=56,
    ),
)  # fmt: skip

CONDITIONS: dict[str, Condition] = {condition.name: condition for condition in (*TARGETS, *POOL)}
