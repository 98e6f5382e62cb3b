import re

from tts_server.text.sentences import COMMA_PAUSE_SECONDS, SENTENCE_PAUSE_SECONDS, Sentence, split_sentences


def count(text: str) -> int:
    return len(re.findall(r"\w", text))


def split(text: str, limit: int = 6) -> list[Sentence]:
    return split_sentences(text, limit=limit, count=count, words=list)


def test_sentences_are_split_and_no_pause_follows_the_last() -> None:
    assert split("你好。再见。") == [Sentence("你好", 2, SENTENCE_PAUSE_SECONDS), Sentence("再见", 2, 0.0)]


def test_short_pieces_are_joined_with_their_comma() -> None:
    assert split("甲乙,丙丁。") == [Sentence("甲乙,丙丁", 4, 0.0)]


def test_a_full_sentence_ends_at_a_comma() -> None:
    first, second = split("一二三四,五六七,八九")
    assert (first, second) == (Sentence("一二三四", 4, COMMA_PAUSE_SECONDS), Sentence("五六七,八九", 5, 0.0))


def test_a_long_piece_is_cut_into_about_equal_parts() -> None:
    assert [each.text for each in split("一二三四五六七八")] == ["一二三四", "五六七八"]


def test_nothing_is_lost_and_nothing_is_over_the_limit() -> None:
    text = "一二三四五六七八九十甲乙丙,丁。戊己!庚\n辛壬癸子丑寅卯辰,巳午未申酉戌亥"
    sentences = split(text)
    assert "".join(re.findall(r"\w", "".join(each.text for each in sentences))) == "".join(re.findall(r"\w", text))
    assert all(each.syllables == count(each.text) <= 6 for each in sentences)


def test_pieces_without_sound_are_dropped() -> None:
    assert split("。。!\n,,") == []
    assert split("😀,你好!!!。") != []
