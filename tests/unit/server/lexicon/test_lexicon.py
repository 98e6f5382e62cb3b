"""The entries of lexicons, and where they are found in a text."""

import pytest

from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.lexicon import NO_ENTRIES, Lexicon, LexiconError, apply_lexicons, read_lexicon
from tts_server.text.delivery import Delivery
from tts_server.text.script import Break, Run, Script, ScriptError, plain_script

SYLLABLES = frozenset({"hang", "zhang", "wan", "qing", "chong", "sa", "si"})
HOW = Delivery("one")


def lexicon(origin: str = "lexicon", **entries: str) -> Lexicon:
    return read_lexicon(entries, origin=origin, syllables=SYLLABLES, max_entries=100)


def split(text: str, *lexicons: Lexicon, words: list[str] | None = None) -> list[str]:
    """The runs of a text: plain ones as they are, others with what they are read as."""
    return [
        f"{each.text}={' '.join(each.pinyin) or each.origin}" if each.origin != "text" else each.text
        for each in apply_lexicons(plain_script(text, HOW), lexicons, lambda text: words or list(text))
        if isinstance(each, Run)
    ]


def test_a_reading() -> None:
    assert split("找行长谈", lexicon(行长="hang2 zhang3")) == ["找", "行长=hang2 zhang3", "谈"]


def test_a_replacement() -> None:
    assert split("用SaaS软件", lexicon(SaaS="萨斯")) == ["用", "萨斯=lexicon", "软件"]
    assert split("重庆重庆", lexicon(重庆="chong2 qing4")) == ["重庆=chong2 qing4"] * 2


def test_the_longest_word_wins() -> None:
    words = lexicon(行="hang2", 行长="hang2 zhang3")
    assert split("行长行", words) == ["行长=hang2 zhang3", "行=hang2"]


def test_the_lexicon_of_the_request_wins() -> None:
    service = lexicon("service_lexicon", 行="xing-wai", 行长="hang2 zhang3")
    assert split("行行长", lexicon(行="hang2"), service) == ["行=hang2", "行长=hang2 zhang3"]


def test_latin_words_are_matched_whole() -> None:
    words = lexicon(AI="人工智能", G5="第五代")
    assert split("MAIL AIs AI2 2AI", words) == ["MAIL AIs AI2 2AI"]
    assert split("用AI吧,AI AI", words) == [
        "用",
        "人工智能=lexicon",
        "吧,",
        "人工智能=lexicon",
        " ",
        "人工智能=lexicon",
    ]
    assert split("ai", words) == ["ai"]


def test_traditional_characters_are_found_by_simplified_ones_and_the_other_way_round() -> None:
    assert split("找行長談", lexicon(行长="hang2 zhang3")) == ["找", "行長=hang2 zhang3", "談"]
    assert split("找行长谈", lexicon(行長="hang2 zhang3")) == ["找", "行长=hang2 zhang3", "谈"]


def test_a_word_is_not_found_across_two_others() -> None:
    words = lexicon(行长="hang2 zhang3")
    assert split("银行长期", words, words=["银行", "长期"]) == ["银行长期"]
    assert split("找行长期", words, words=["找", "行", "长期"]) == ["找", "行长=hang2 zhang3", "期"]
    assert split("银行行长", words, words=["银行行长"]) == ["银行", "行长=hang2 zhang3"]


def test_the_words_of_the_front_end(front_end: FrontEnd) -> None:
    def found(text: str) -> bool:
        return len(apply_lexicons(plain_script(text), [lexicon(行长="hang2 zhang3")], front_end.words)) > 1

    assert [found(text) for text in ("银行长期贷款", "银行行长", "找行长谈", "2026年，行长说：AI")] == [
        False,
        True,
        True,
        True,
    ]


def test_what_ssml_says_wins() -> None:
    script: Script = (
        Run("行", HOW, ("xing2",), "phoneme"),
        Run("行", HOW, origin="say-as"),
        Break(1.0),
        Run("行", HOW, origin="sub"),
    )
    assert apply_lexicons(script, [lexicon(行="hang2")], list) == (*script[:3], Run("行", HOW, ("hang2",), "lexicon"))


def test_without_entries_nothing_changes() -> None:
    script = plain_script("行长")
    assert apply_lexicons(script, [NO_ENTRIES, lexicon()], list) is script


def test_a_lexicon_cannot_make_a_text_without_bounds() -> None:
    assert split("好" * 10, lexicon(好="好" * 100)) == ["好" * 100 + "=lexicon"] * 10
    with pytest.raises(ScriptError, match="1100 characters long, but 1000 is the limit") as caught:
        split("好" * 11, lexicon(好="好" * 100))
    assert (caught.value.param, caught.value.code) == ("lexicon", "input_too_long")


@pytest.mark.parametrize(
    "word,written,says",
    [
        ("", "x", "an entry without a word"),
        ("行" * 33, "x", "has 33 characters, but a word has at most 32"),
        ("行长", " ", "'行长' has no reading. Write pinyin such as 'hang2 zhang3', or text to say."),
        ("行长", "x" * 101, "What to say for '行长' has 101 characters, but the limit is 100."),
        ("行长", "hang2 zhang9", "'行长': 'zhang9' is not a syllable of pinyin."),
        ("行长", "hang2 zhong3", "'行长': the voice has no syllable 'zhong3'."),
        ("行长", "a1 " * 17, "'行长': The reading has 17 syllables, but the limit is 16."),
    ],
)
def test_an_entry_that_makes_no_sense(word: str, written: str, says: str) -> None:
    with pytest.raises(LexiconError) as caught:
        read_lexicon({word: written}, origin="lexicon", syllables=SYLLABLES, max_entries=9)
    assert says in str(caught.value)


def test_an_engine_with_readings_of_its_own_takes_replacements_only() -> None:
    read_lexicon({"SaaS": "萨斯"}, origin="lexicon", syllables=(), max_entries=9)
    with pytest.raises(LexiconError, match="engine decides readings by itself"):
        read_lexicon({"行长": "hang2 zhang3"}, origin="lexicon", syllables=(), max_entries=9)


def test_the_number_of_entries_is_limited() -> None:
    with pytest.raises(LexiconError, match="has 3 entries, but the limit is 2"):
        read_lexicon(dict.fromkeys("甲乙丙", "x"), origin="lexicon", syllables=(), max_entries=2)


def test_the_digest_is_that_of_the_entries() -> None:
    one, other = lexicon(甲="x", 乙="y"), lexicon("other", 乙="y", 甲="x")
    assert one.digest == other.digest != lexicon(甲="x").digest
    assert lexicon().digest == NO_ENTRIES.digest == ""
