"""Reading replies strictly: an option only where one is named, refusals apart from what cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.evaluation.asking.parse import REFUSAL_OPENINGS, read_reply, refusal_openings, reply_words

TEXTS = ("Very important", "Rather important", "Not very important", "Not at all important")
LETTERS = ("A", "B", "C", "D")
TEN = tuple(str(number) for number in range(1, 11))


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("A", 0), ("b", 1), ("C.", 2), ("(D)", 3), ("**B**", 1), (" A\n", 0), ("A)", 0), ('"B"', 1),
        ("B. Rather important", 1), ("(B) Rather important.", 1), ("Rather important", 1), ("rather IMPORTANT.", 1),
        ("The answer is C", 2), ("Answer: D", 3), ("My final answer is: (A).", 0), ("I would choose B.", 1),
        ("I'd say Very important", 0), ("A\n\nFamily matters to most people here.", 0),
        # the first letter or number of a sentence is no answer
        ("A family is everything", "unparsed"), ("I would say a lot", "unparsed"), ("Both A and B", "unparsed"),
        ("A or B", "unparsed"), ("E", "unparsed"), ("", "unparsed"), ("important", "unparsed"),
        ("B. Very important", "unparsed"),  # one label with another option's text
        ("Between A and C, hard to say", "unparsed"),
        ("I'm sorry, but I can't help with that.", "refused"), ("As an AI, I have no opinion.", "refused"),
        ("I don't have personal beliefs.", "refused"), ("I prefer not to say.", "refused"),
        ("I cannot answer this question", "refused"), ("I can’t choose.", "refused"),
    ],
)  # fmt: skip
def test_replies_to_a_lettered_question(reply, read):
    assert read_reply(reply, LETTERS, TEXTS) == read


@pytest.mark.parametrize(
    ("reply", "read"),
    [("10", 9), ("1", 0), ("10.", 9), ("100", "unparsed"), ("1 or 10", "unparsed"), ("1 0", "unparsed"),
     ("My answer: 10", 9), ("7/10", "unparsed"), ("about 5", "unparsed")],
)  # fmt: skip
def test_ten_is_ten_and_not_one(reply, read):
    assert read_reply(reply, ("",) * 10, TEN) == read


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("True.", 1), (" Answer: True", 1), ("TRUE", 1), ("true\n\nIt is a custom there.", 1), ("False", 0),
        ("Answer: False.", 0), ("The answer is: (true)", 1),
        # CultureAtlas' script takes these for true, since it looks at how a reply begins and at the word `correct`
        ("Truthful", "unparsed"), ("correct", "unparsed"), ("True or false, it depends", "unparsed"),
        # and a refusal for false
        ("I'm sorry, but I can't judge customs.", "refused"), ("As an AI, I cannot say.", "refused"),
        ("Not true", "unparsed"), ("", "unparsed"),
    ],
)  # fmt: skip
def test_replies_to_a_statement_that_is_true_or_false(reply, read):
    assert read_reply(reply, ("", ""), ("False", "True")) == read


@given(st.integers(0, 3), st.sampled_from(["{}", "{}.", "({})", "{})", "Answer: {}", "The answer is {}.", "**{}**"]))
def test_every_usual_way_of_naming_a_label_is_read(option, form):
    assert read_reply(form.format(LETTERS[option]), LETTERS, TEXTS) == option
    assert read_reply(form.format(TEXTS[option]), LETTERS, TEXTS) == option


@given(st.text(max_size=300))
def test_any_reply_gets_a_reading(reply):
    read = read_reply(reply, LETTERS, TEXTS)
    assert read in (0, 1, 2, 3, "refused", "unparsed")


@given(st.permutations("abcd"), st.text(alphabet="abcd ,;", max_size=8), st.sampled_from([" ", ",", "; "]))
def test_a_reply_that_names_two_labels_is_never_an_option(labels, between, mark):
    reply = f"{labels[0]}{mark}{between}{mark}{labels[1]}"
    assert read_reply(reply, LETTERS, TEXTS) == "unparsed"


def test_the_openings_that_are_scored_are_read_as_refusals_when_they_go_on():
    endings = {"Sorry,": " I can't answer that.", "I cannot": " answer that.", "I don't have": " an opinion."}
    for opening in REFUSAL_OPENINGS:
        assert read_reply(opening + endings.get(opening, " to answer that."), LETTERS, TEXTS) == "refused"


SPANISH = ("Muy importante", "Bastante importante", "No muy importante", "Nada importante")
ARABIC = ("مهم جدًا", "مهم إلى حد ما", "غير مهم", "إلى حد كبير")
PERSIAN = ("الف", "کاملاً موافقم", "مخالفم", "نظری ندارم")
TURKISH = ("Çok iyi", "İyi", "Kötü", "HIÇ FIKRIM YOK")


@pytest.mark.parametrize(
    ("language", "reply", "read"),
    [
        ("es", "La respuesta es B.", 1), ("es", "La respuesta correcta es: la opción C", 2), ("es", "Elijo A", 0),
        ("es", "«Muy importante».", 0), ("es", "Opción D", 3), ("es-MX", "Mi respuesta es «B. Bastante importante»", 1),
        ("es", "Lo siento, no puedo elegir.", "refused"), ("es", "Como modelo de lenguaje, no opino", "refused"),
        ("es", "As an AI, I have no opinion.", "refused"), ("es", "The answer is C", 2),
        ("es", "La familia es importante", "unparsed"), ("es", "A o B", "unparsed"),
        ("es", "Diría que depende", "unparsed"),
        ("fr", "La réponse est C", 2), ("fr", "L’option B", 1), ("fr", "Je suis désolée, je ne peux pas", "refused"),
        ("fr", "En tant qu’IA, je n’ai pas d’opinion", "refused"), ("fr", "Je choisis : (D)", 3),
        ("fr", "Je dirais une famille", "unparsed"),
        ("ar", "الإجابة هي B", 1), ("ar", "الاجابة هي: B.", 1), ("ar", "الجواب هو (C)", 2), ("ar", "أختار الخيار D", 3),
        ("ar", "مهم جدا", 0), ("ar", "الى حد كبير", 3), ("ar", "\u200fA\u200f", 0), ("ar", "«غير مهم»", 2),
        ("ar", "عذرًا، لا أستطيع الإجابة", "refused"), ("ar", "لَيْسَ لَدَيَّ آرَاءٌ شَخْصِيَّة", "refused"),
        ("ar", "بصفتي نموذجًا لغويًا لا أبدي رأيًا", "refused"), ("ar", "العائلة مهمة", "unparsed"),
        ("tr", "Cevabım: B", 1), ("tr", "YANIT: A", 0), ("tr", "iyi", 1), ("tr", "İYİ", 1), ("tr", "IYI", 1),
        ("tr", "hiç fikrim yok", 3), ("tr", "Üzgünüm, cevap veremem.", "refused"),
        ("tr", "Yapay zekâ olarak bir görüşüm yok", "refused"), ("tr", "ÜZGÜNÜM", "refused"),
        ("tr", "Aile iyidir", "unparsed"),
        ("fa", "پاسخ: B", 1), ("fa", "گزینهٔ الف", 0), ("fa", "كاملا موافقم", 1), ("fa", "کاملاً موافقم", 1),
        ("fa", "متأسفم، نمی‌توانم پاسخ دهم", "refused"), ("fa", "من نمي توانم به اين پرسش جواب بدهم", "refused"),
        ("fa", "به‌عنوان یک مدل زبانی نظری ندارم", "refused"), ("fa", "خانواده مهم است", "unparsed"),
        ("fa", "عذر می‌خواهم، این پرسش شخصی است.", "refused"), ("fa", "گزینه‌ی B", 1), ("fa", "پاسخ: گزینه ی B", 1),
        # the verb stands last
        ("fa", "پاسخ من B است.", 1), ("fa", "گزینهٔ C را انتخاب می‌کنم.", 2), ("fa", "گزینه «الف» درست است", 0),
        ("fa", "پاسخ A یا B است", "unparsed"), ("fa", "است", "unparsed"), ("fa", "پاسخ درست است", "unparsed"),
        # a language without words of its own is read as English is
        ("ko", "The answer is B", 1), ("ko", "죄송합니다", "unparsed"),
    ],
)  # fmt: skip
def test_replies_in_other_languages(language, reply, read):
    texts = {"ar": ARABIC, "tr": TURKISH, "fa": PERSIAN}.get(language, SPANISH)
    assert read_reply(reply, LETTERS, texts, language) == read


@pytest.mark.parametrize(("reply", "read"), [("٣", 2), ("۱۰", 9), ("الرقم ١", 0), ("٧/١٠", "unparsed"), ("10", 9)])
def test_digits_of_any_script_name_a_number_in_these_languages(reply, read):
    labels = tuple(str(number).zfill(2) for number in range(1, 11))
    assert read_reply(reply, labels, tuple("abcdefghij"), "ar") == read
    assert read_reply(reply, ("",) * 10, TEN, "ar") == read


def test_english_replies_are_read_as_ever():
    assert read_reply("٣", ("",) * 10, TEN) == "unparsed"
    assert read_reply("Elijo A", LETTERS, TEXTS) == "unparsed"
    assert read_reply("Lo siento", LETTERS, TEXTS, "en-GB") == "unparsed"
    assert refusal_openings("en") == refusal_openings("ko") == REFUSAL_OPENINGS


@pytest.mark.parametrize("language", ["es", "fr", "ar", "tr", "fa"])
def test_openings_in_other_languages_are_apart_and_begin_refusals(language):
    openings = refusal_openings(language)
    assert openings[: len(REFUSAL_OPENINGS)] == REFUSAL_OPENINGS
    assert len(openings) > len(REFUSAL_OPENINGS) + 4
    for one in openings:  # their probabilities are added, so none may hold another's
        assert not any(other.startswith(one) for other in openings if other != one)
    words = reply_words(language)
    assert words.mark != reply_words("es" if language != "es" else "fr").mark


@given(st.text(max_size=200), st.sampled_from(["es", "fr", "ar", "tr", "fa"]))
def test_any_reply_in_any_language_gets_a_reading(reply, language):
    assert read_reply(reply, LETTERS, TEXTS, language) in (0, 1, 2, 3, "refused", "unparsed")


@given(
    st.integers(0, 3),
    st.sampled_from(
        [
            ("es", "La respuesta es {}."),
            ("fr", "Réponse : {}"),
            ("ar", "الإجابة هي {}"),
            ("tr", "Yanıt: {}"),
            ("fa", "پاسخ من: {}"),
        ]
    ),
)
def test_a_lead_of_a_language_is_followed_by_what_is_named(option, form):
    language, text = form
    assert read_reply(text.format(LETTERS[option]), LETTERS, TEXTS, language) == option
    assert read_reply(text.format(f"**{TEXTS[option]}**"), LETTERS, TEXTS, language) == option
