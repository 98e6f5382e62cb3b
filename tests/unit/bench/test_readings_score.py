from bench.readings.score import Polyphone, is_right, numbers, plain, polyphones


def test_a_third_tone_is_right_as_written_and_as_spoken() -> None:
    citations = ["chu3", "li3"]
    assert is_right(Polyphone("处理", 0, frozenset({"chu3"})), citations)
    assert is_right(Polyphone("处理", 0, frozenset({"chu2"})), citations)
    assert not is_right(Polyphone("处理", 0, frozenset({"chu4"})), citations)


def test_other_tones_are_right_only_as_spoken() -> None:
    assert is_right(Polyphone("一样", 0, frozenset({"yi2"})), ["yi1", "yang4"])
    assert not is_right(Polyphone("一样", 0, frozenset({"yi1"})), ["yi1", "yang4"])


def test_an_answer_of_another_length_is_wrong() -> None:
    assert not is_right(Polyphone("处理", 0, frozenset({"chu3"})), ["chu3"])


def test_the_lists_are_well_formed() -> None:
    for name in ("polyphones.tsv", "more_polyphones.tsv"):
        assert all(each.right and 0 <= each.place < len(each.text) for each in polyphones(name))
    for name in ("numbers.tsv", "more_numbers.tsv"):
        assert all(each.right for each in numbers(name))


def test_spoken_forms_are_compared_without_punctuation_and_case() -> None:
    assert plain("A座, 一零 二!") == "a座一零二"
