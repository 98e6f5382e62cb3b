import re

from tts_server.text.clauses import CLAUSE_PAUSE_SECONDS, SENTENCE_PAUSE_SECONDS, Clause, split_clauses


def cost(text: str) -> int:
    return len(re.findall(r"\w", text))


def split(text: str, limit: int = 6) -> list[Clause]:
    return split_clauses(text, limit=limit, cost=cost, words=list)


def test_a_sentence_is_one_clause_and_nothing_follows_the_last() -> None:
    assert split("你好。再见。") == [Clause("你好", SENTENCE_PAUSE_SECONDS), Clause("再见", 0.0)]


def test_short_pieces_are_joined_with_their_comma() -> None:
    assert split("甲乙,丙丁。") == [Clause("甲乙,丙丁", 0.0)]


def test_a_full_clause_ends_at_a_comma() -> None:
    assert split("一二三四,五六七,八九") == [Clause("一二三四", CLAUSE_PAUSE_SECONDS), Clause("五六七,八九", 0.0)]


def test_a_long_piece_is_cut_into_about_equal_parts() -> None:
    assert [each.text for each in split("一二三四五六七八")] == ["一二三四", "五六七八"]


def test_nothing_is_lost_and_nothing_is_over_the_limit() -> None:
    text = "一二三四五六七八九十甲乙丙,丁。戊己!庚\n辛壬癸子丑寅卯辰,巳午未申酉戌亥"
    clauses = split(text)
    assert "".join(re.findall(r"\w", "".join(each.text for each in clauses))) == "".join(re.findall(r"\w", text))
    assert all(cost(each.text) <= 6 for each in clauses)


def test_pieces_without_sound_are_dropped() -> None:
    assert split("。。!\n,,") == []
    assert split("😀,你好!!!。") != []
