"""The items of the synthetic survey, written for it; loadings are on novelty and togetherness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from calm_lm.survey.item import Scale, Translation

Loading = tuple[float, float]


@dataclass(frozen=True)
class ToyItem:
    """An item with its planted loadings: one for an ordinal item, one an option for a nominal one."""

    id: str
    topic: str
    text: str
    options: tuple[str, ...]
    loadings: tuple[Loading, ...]
    scale: Scale = "ordinal"
    translations: Mapping[str, Translation] = field(default_factory=dict)

    @property
    def codes(self) -> tuple[str, ...]:
        """`1` to the number of options."""
        return tuple(str(at + 1) for at in range(len(self.options)))


_AGREE = ("Strongly disagree", "Disagree", "Agree", "Strongly agree")
_OFTEN = ("Never", "Rarely", "Sometimes", "Often", "Always")
_TEN = tuple(str(number) for number in range(1, 11))
_AGREE_ES = ("Muy en desacuerdo", "En desacuerdo", "De acuerdo", "Muy de acuerdo")
_AGREE_FR = ("Pas du tout d'accord", "Plutôt pas d'accord", "Plutôt d'accord", "Tout à fait d'accord")
_OFTEN_ES = ("Nunca", "Rara vez", "A veces", "A menudo", "Siempre")
_OFTEN_FR = ("Jamais", "Rarement", "Parfois", "Souvent", "Toujours")


def _in(es: str, fr: str, options_es: tuple[str, ...], options_fr: tuple[str, ...]) -> Mapping[str, Translation]:
    return {"es": Translation(es, options_es), "fr": Translation(fr, options_fr)}


ITEMS: tuple[ToyItem, ...] = (
    ToyItem(
        "F1", "food", "How often do you cook a dish that you have never cooked before?", _OFTEN, ((1.0, 0.0),),
        translations=_in(
            "¿Con qué frecuencia cocina un plato que nunca ha cocinado?",
            "À quelle fréquence cuisinez-vous un plat que vous n'avez jamais cuisiné ?", _OFTEN_ES, _OFTEN_FR,
        ),
    ),
    ToyItem("F2", "food", "Meals taste better in company.", _AGREE, ((0.0, 1.0),), translations=_in(
        "Las comidas saben mejor en compañía.", "Les repas sont meilleurs en compagnie.", _AGREE_ES, _AGREE_FR,
    )),
    ToyItem("F3", "food", "A family recipe should not be changed.", _AGREE, ((-1.0, 0.3),)),
    ToyItem(
        "F4", "food", "What do you most like to do with a free lunch hour?",
        ("Eat with colleagues", "Try a new place", "Eat at home", "Read while eating"),
        ((0.0, 1.0), (1.0, 0.2), (-0.8, 0.0), (0.1, -1.0)), "nominal", _in(
            "¿Qué prefiere hacer con una hora libre para comer?",
            "Que préférez-vous faire d'une pause déjeuner libre ?",
            ("Comer con colegas", "Probar un lugar nuevo", "Comer en casa", "Leer mientras como"),
            ("Manger avec des collègues", "Essayer un nouvel endroit", "Manger chez moi", "Lire en mangeant"),
        ),
    ),
    ToyItem("F5", "food", "How much do you look forward to a shared dinner, from 1 to 10?", _TEN, ((0.2, 0.9),)),
    ToyItem("W1", "work", "I would rather learn a new task than repeat one that I know.", _AGREE, ((1.0, 0.0),),
            translations=_in(
                "Prefiero aprender una tarea nueva a repetir una que ya conozco.",
                "Je préfère apprendre une nouvelle tâche plutôt que d'en répéter une que je connais.",
                _AGREE_ES, _AGREE_FR,
            )),
    ToyItem("W2", "work", "How often do you ask a colleague before you decide?", _OFTEN, ((-0.2, 0.9),)),
    ToyItem("W3", "work", "A rule at work that nobody remembers the reason of should go.", _AGREE, ((0.9, -0.1),)),
    ToyItem(
        "W4", "work", "What makes a good first day in a new job?",
        ("A clear list of tasks", "A lunch with everybody", "A problem to solve"),
        ((-0.9, 0.0), (0.0, 1.0), (0.9, -0.3)), "nominal",
    ),
    ToyItem("W5", "work", "How important is it to you to work in a team, from 1 to 10?", _TEN, ((0.0, 1.0),)),
    ToyItem("N1", "neighbours", "How often do you visit a neighbour without being invited?", _OFTEN, ((0.0, 1.0),),
            translations=_in(
                "¿Con qué frecuencia visita a un vecino sin que le inviten?",
                "À quelle fréquence rendez-vous visite à un voisin sans être invité ?", _OFTEN_ES, _OFTEN_FR,
            )),
    ToyItem("N2", "neighbours", "A street should look as it always did.", _AGREE, ((-1.0, 0.1),)),
    ToyItem("N3", "neighbours", "I like to know everybody in my street by name.", _AGREE, ((-0.1, 1.0),)),
    ToyItem(
        "N4", "neighbours", "What should be built on an empty plot?",
        ("A garden for all", "Something nobody has seen yet", "What stood there before"),
        ((0.0, 1.0), (1.0, 0.0), (-1.0, 0.0)), "nominal",
    ),
    ToyItem("N5", "neighbours", "How welcome is loud music in the afternoon, from 1 to 10?", _TEN, ((0.5, 0.5),)),
    ToyItem("T1", "travel", "How often do you take a way home that you do not know?", _OFTEN, ((1.0, -0.1),)),
    ToyItem("T2", "travel", "A journey alone is no real journey.", _AGREE, ((-0.2, 1.0),)),
    ToyItem(
        "T3", "travel", "Which holiday do you choose?",
        ("The same place as last year", "A place nobody told me about", "A house with friends", "A room by myself"),
        ((-1.0, 0.2), (1.0, 0.0), (0.0, 1.0), (0.0, -1.0)), "nominal",
    ),
    ToyItem("T4", "travel", "I plan every day of a journey before I leave.", _AGREE, ((-0.8, 0.0),)),
    ToyItem("T5", "travel", "How much do you enjoy talking to strangers, from 1 to 10?", _TEN, ((0.4, 0.8),)),
    ToyItem("H1", "home", "How often do you move the furniture?", _OFTEN, ((0.9, 0.0),)),
    ToyItem("H2", "home", "A door at home should stay open.", _AGREE, ((0.0, 0.9),), translations=_in(
        "Una puerta en casa debe quedar abierta.", "À la maison, une porte doit rester ouverte.", _AGREE_ES, _AGREE_FR,
    )),
    ToyItem("H3", "home", "Old things are worth repairing, even if new ones are better.", _AGREE, ((-0.9, 0.1),)),
    ToyItem("H4", "home", "How important is a large table, from 1 to 10?", _TEN, ((-0.1, 0.8),)),
)  # fmt: skip
