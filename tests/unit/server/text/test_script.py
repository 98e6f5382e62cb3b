"""From a script to sentences and phonemes: readings, breaks, and runs that are spoken in different ways."""

from dataclasses import replace

import pytest

from tests.unit.server.conftest import FakeEngine
from tts_server.engines.fastspeech2.baker import MAX_SENTENCE_SYLLABLES
from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.synthesis.keys import cache_key
from tts_server.text import plan_sentences
from tts_server.text.delivery import Delivery
from tts_server.text.script import Break, Run, is_pinyin, parse_pinyin, plain_script
from tts_server.text.sentences import COMMA_PAUSE_SECONDS, SENTENCE_PAUSE_SECONDS, Sentence, Span

NORMAL = Delivery("one")
OTHER = Delivery("two")
FAST = Delivery("one", speed=2.0)


@pytest.fixture
def plan(front_end: FrontEnd) -> "Plan":
    return Plan(front_end)


class Plan:
    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end

    def __call__(self, *script: Run | Break) -> list[Sentence]:
        return plan_sentences(
            script, limit=MAX_SENTENCE_SYLLABLES, count=self.front_end.count, words=self.front_end.words
        )

    def pinyin(self, *script: Run | Break) -> str:
        """What is said, a bar between sentences and a comma for each pause within one."""
        return " | ".join(
            " ".join(
                each.pinyin_with_erhua if each else ","
                for each in self.front_end.syllables(sentence.text, sentence.spans)
            )
            for sentence in self(*script)
        )


def text(written: str, how: Delivery = NORMAL) -> Run:
    return Run(written, how)


def pinned(written: str, pinyin: str, how: Delivery = NORMAL) -> Run:
    return Run(written, how, parse_pinyin(pinyin), "phoneme")


def test_a_text_without_directions_is_one_run(plan: Plan) -> None:
    (sentence,) = plan(*plain_script("你好", NORMAL))
    assert sentence == Sentence("你好", 2, 0.0, NORMAL)


def test_a_reading_replaces_that_of_the_dictionary(plan: Plan) -> None:
    assert plan.pinyin(text("他行")) == "ta1 xing2"
    assert plan.pinyin(text("他"), pinned("行", "hang2")) == "ta1 hang2"


def test_a_reading_is_spoken_as_it_is_written(plan: Plan) -> None:
    assert plan.pinyin(text("你好")) == "ni2 hao3"
    assert plan.pinyin(pinned("你好", "ni3 hao3")) == "ni3 hao3"
    assert plan.pinyin(pinned("你", "ni3"), text("好")) == "ni3 hao3"
    assert plan.pinyin(pinned("一", "yi1"), text("样")) == "yi1 yang4"


def test_its_neighbours_follow_its_tone(plan: Plan) -> None:
    assert plan.pinyin(text("一"), pinned("行", "hang2")) == "yi4 hang2"
    assert plan.pinyin(text("一"), pinned("行", "hang4")) == "yi2 hang4"
    assert plan.pinyin(text("不"), pinned("行", "hang4")) == "bu2 hang4"
    assert plan.pinyin(text("很"), pinned("长", "zhang3")) == "hen2 zhang3"


def test_its_neighbours_see_the_characters_beside_them(plan: Plan) -> None:
    assert plan.pinyin(text("银"), pinned("行", "xing2")) == "yin2 xing2"
    assert plan.pinyin(text("音"), pinned("乐", "yue4"), text("快乐")) == "yin1 yue4 kuai4 le4"
    # 得 before 好 is a particle, because of 说 before it, which has a reading
    assert plan.pinyin(pinned("说", "shui4"), text("得好")) == "shui4 de5 hao3"


def test_numbers_see_the_characters_beside_them(plan: Plan) -> None:
    assert plan(text("2"), pinned("个", "ge4"))[0].text == "两个"
    assert plan(text("2"), text("个", FAST))[0].text == "两"
    assert plan(pinned("尾号", "wei3 hao4"), text("8888"))[0].text == "尾号八八八八"


def test_a_reading_may_have_more_or_fewer_syllables_than_characters(plan: Plan) -> None:
    assert plan.pinyin(text("用"), pinned("SaaS", "sa4 si5"), text("软件")) == "yong4 sa4 si5 ruan3 jian4"
    assert plan.pinyin(text("去"), pinned("玩儿", "wanr2")) == "qu4 wanr2"
    assert plan.front_end.phonemes("玩儿", (Span(0, 2, "phoneme", ("wanr2",)),)) == [
        *("sil", "^", "uan2", "er5", "sil", "eos")
    ]


def test_latin_letters_beside_a_reading_are_not_joined_with_it(plan: Plan) -> None:
    assert plan.pinyin(text("a"), pinned("b", "ba1"), text("c")) == "ei1 ba1 xi1"


def test_signs_within_a_reading_are_no_pauses(plan: Plan) -> None:
    (sentence,) = plan(text("看"), pinned("A/B。", "ei1 bi4"), text("吧"))
    assert (sentence.text, sentence.syllables, sentence.pause) == ("看A/B。吧", 4, 0.0)
    assert sentence.spans == (Span(1, 5, "phoneme", ("ei1", "bi4")),)


def test_a_reading_is_never_split(plan: Plan) -> None:
    word = pinned("银行行长行行行银行行长", "yin2 hang2 hang2 zhang3 hang2 hang2 hang2 yin2 hang2 hang2 zhang3")
    sentences = plan(text("因为今天早上我看见了那"), word, text("所以后来晚上又去了那里"))
    assert [span.pinyin for each in sentences for span in each.spans] == [word.pinyin]
    assert all(each.syllables <= MAX_SENTENCE_SYLLABLES for each in sentences)
    assert (
        "".join(each.text for each in sentences) == "因为今天早上我看见了那银行行长行行行银行行长所以后来晚上又去了那里"
    )


def test_readings_stay_with_their_characters_when_text_is_split(plan: Plan) -> None:
    script = [piece for _ in range(30) for piece in (text("今天到"), pinned("行", "hang2"), text("里去吗？好，"))]
    sentences = plan(*script)
    found = [each.text[span.start : span.end] for each in sentences for span in each.spans]
    assert found == ["行"] * 30


def test_a_break_replaces_the_pause(plan: Plan) -> None:
    assert [(each.text, each.pause) for each in plan(text("你好。"), Break(1.5), text("再见。"))] == [
        ("你好", 1.5),
        ("再见", 0.0),
    ]
    assert [each.pause for each in plan(text("你好。"), Break(0.0), text("再见"))] == [0.0, 0.0]
    assert [each.pause for each in plan(text("你好"), Break(0.5), Break(0.25), text("。"), Break(1.0))] == [1.75]


def test_silence_before_the_first_word(plan: Plan) -> None:
    lead, sentence = plan(Break(0.5), text(" "), Break(0.25), text("你好"))
    assert lead == Sentence("", 0, 0.75, NORMAL)
    assert sentence == Sentence("你好", 2, 0.0, NORMAL)


def test_breaks_alone_say_nothing(plan: Plan) -> None:
    assert plan(Break(0.5), text("。"), Break(1)) == []


def test_each_run_is_spoken_in_its_own_way(plan: Plan) -> None:
    sentences = plan(text("您好，"), text("世界", OTHER), text("。再见，", NORMAL), text("朋友！", FAST))
    assert sentences == [
        Sentence("您好", 2, COMMA_PAUSE_SECONDS, NORMAL),
        Sentence("世界", 2, SENTENCE_PAUSE_SECONDS, OTHER),
        Sentence("再见", 2, COMMA_PAUSE_SECONDS, NORMAL),
        Sentence("朋友", 2, 0.0, FAST),
    ]


def test_the_end_of_a_line_beside_a_reading_still_ends_a_sentence(plan: Plan) -> None:
    assert [each.text for each in plan(text("你好\n"), pinned("SaaS", "sa4 si5"), text("\n再见"))] == [
        *("你好", "SaaS", "再见")
    ]


def test_the_origin_of_a_text_stays_with_it(plan: Plan) -> None:
    (sentence,) = plan(text("打、"), Run("一二，三四", NORMAL, origin="say-as"), text(",五、六"))
    assert sentence.text == "打,一二,三四,五,六"
    assert sentence.spans == (Span(2, 4, "say-as"), Span(5, 7, "say-as"))


def test_the_audio_depends_on_readings_and_not_on_their_origin(engine: FakeEngine) -> None:
    sentence = Sentence("行", 1, 0.0, NORMAL, (Span(0, 1, "phoneme", ("hang2",)),))
    key = cache_key(engine, [sentence])
    assert key != cache_key(engine, [replace(sentence, spans=())])
    assert key != cache_key(engine, [replace(sentence, spans=(Span(0, 1, "phoneme", ("xing2",)),))])
    assert key == cache_key(engine, [replace(sentence, spans=(Span(0, 1, "lexicon", ("hang2",)),))])
    assert cache_key(engine, [replace(sentence, spans=())]) == cache_key(
        engine, [replace(sentence, spans=(Span(0, 1, "sub"),))]
    )


@pytest.mark.parametrize("written,syllables", [("hang2 zhang3", ("hang2", "zhang3")), ("LÜ4  nv3", ("lv4", "nv3"))])
def test_pinyin(written: str, syllables: tuple[str, ...]) -> None:
    assert is_pinyin(written)
    assert parse_pinyin(written) == syllables


@pytest.mark.parametrize(
    "written,says",
    [
        ("", "is empty"),
        ("hang", "'hang' is not a syllable"),
        ("hang6", "'hang6' is not"),
        ("háng", "'háng' is not"),
        ("a1 " * 17, "17 syllables, but the limit is 16"),
    ],
)
def test_what_is_no_pinyin(written: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_pinyin(written)


def test_words_are_no_pinyin() -> None:
    assert not any(map(is_pinyin, ("萨斯", "hello", "iPhone 15", "K8s", "5G", "")))
