"""Each element of SSML, what is refused, and where an error is."""

import re
from typing import Any

import pytest

from tts_server.ssml import is_ssml, read_ssml
from tts_server.ssml.reader import PARAGRAPH_PAUSE_SECONDS
from tts_server.text.delivery import Delivery
from tts_server.text.script import Break, Run, Script, ScriptError

BASE = Delivery("one", speed=2.0)
SYLLABLES = frozenset({"hang", "zhang", "wan", "lv"})


def read(body: str, *, base: Delivery = BASE, syllables: Any = SYLLABLES, limit: int = 500) -> Script:
    return read_ssml(f"<speak>{body}</speak>", base, voices=("one", "two"), syllables=syllables, max_characters=limit)


def said(body: str) -> str:
    """The text of a document, a bar for each break."""
    return "".join(each.text if isinstance(each, Run) else "|" for each in read(body))


def only(body: str) -> Run:
    (run,) = read(body)
    assert isinstance(run, Run)
    return run


def problem(body: str, **more: Any) -> str:
    with pytest.raises(ScriptError) as caught:
        read(body, **more)
    return str(caught.value)


@pytest.mark.parametrize("text", ["<speak>", "<speak>你好</speak>", "\n <speak version='1.1'>", "<speak/>"])
def test_what_is_ssml(text: str) -> None:
    assert is_ssml(text)


@pytest.mark.parametrize(
    "text", ["你好", "<b>你好</b>", "<speaker>", "请说<speak>你好</speak>", "<Speak>", "&lt;speak>"]
)
def test_what_is_plain_text(text: str) -> None:
    assert not is_ssml(text)


def test_a_document_without_elements() -> None:
    assert read("你好，世界。") == (Run("你好，世界。", BASE),)
    document = '<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="zh-CN">好</speak>'
    assert read_ssml(document, BASE, voices=(), syllables=(), max_characters=1) == (Run("好", BASE),)


def test_lines_and_indentation_are_spaces() -> None:
    assert read("\n  你好\n\t世界\n") == (Run(" 你好 世界 ", BASE),)


def test_characters_that_xml_escapes() -> None:
    assert said("a &lt; b &amp; c&#65;<![CDATA[<x>]]>") == "a < b & cA<x>"


@pytest.mark.parametrize(
    "attributes,seconds",
    [
        ('time="500ms"', 0.5),
        ('time="1.25s"', 1.25),
        ('time="0s"', 0.0),
        ("", 0.3),
        ('strength="none"', 0.0),
        ('strength="x-weak"', 0.05),
        ('strength="weak"', 0.1),
        ('strength="medium"', 0.3),
        ('strength="strong"', 0.6),
        ('strength="x-strong"', 1.2),
        ('strength="weak" time="2s"', 2.0),
    ],
)
def test_break(attributes: str, seconds: float) -> None:
    assert read(f"你好<break {attributes}/>世界") == (Run("你好", BASE), Break(seconds), Run("世界", BASE))


@pytest.mark.parametrize(
    "attributes,says",
    [
        ('time="1"', "time must be a number of seconds or milliseconds, such as 1.5s or 500ms, not '1'."),
        ('time="-1s"', "not '-1s'"),
        ('time="11s"', "a break is at most 10s long"),
        ('strength="loud"', "strength must be one of none, x-weak, weak, medium, strong, x-strong, not 'loud'."),
    ],
)
def test_a_break_that_makes_no_sense(attributes: str, says: str) -> None:
    assert says in problem(f"你好<break {attributes}/>")


def test_breaks_are_limited_together() -> None:
    assert len(read('<break time="10s"/>' * 6)) == 6
    assert "All breaks together are longer than 60 s" in problem('<break time="10s"/>' * 6 + '<break time="1ms"/>')


def test_a_break_is_empty() -> None:
    assert "<break> must be empty" in problem("<break>你好</break>")
    assert "<break> must not contain elements, but contains <s>" in problem("<break><s/></break>")


# p and s


def test_sentences() -> None:
    assert said("<s>你好</s><s>再见？</s> <s>好</s>") == "你好。再见？好"
    assert said("你好<s>再见</s>好") == "你好。再见。好"


def test_paragraphs() -> None:
    pause = Break(PARAGRAPH_PAUSE_SECONDS / BASE.speed)
    assert read("<p>你好</p>\n<p><s>再见</s></p>\n") == (Run("你好", BASE), pause, Run("再见", BASE))


def test_a_break_between_sentences_wins() -> None:
    assert said('<p>你好</p> <break time="2s"/> <p>再见</p>') == "你好|再见"


# phoneme


def test_phoneme() -> None:
    assert read('银<phoneme alphabet="pinyin" ph="hang2">行</phoneme>') == (
        Run("银", BASE),
        Run("行", BASE, ("hang2",), "phoneme"),
    )
    assert only('<phoneme alphabet="pinyin" ph="Hang2  zhang3 wanr2 LÜ4"> 行长 玩儿绿 </phoneme>') == Run(
        "行长 玩儿绿", BASE, ("hang2", "zhang3", "wanr2", "lv4"), "phoneme"
    )


@pytest.mark.parametrize(
    "element,says",
    [
        ('<phoneme alphabet="ipa" ph="x">行</phoneme>', "<phoneme> needs alphabet=\"pinyin\", not 'ipa'."),
        ('<phoneme ph="hang2">行</phoneme>', "needs alphabet="),
        ('<phoneme alphabet="pinyin">行</phoneme>', "<phoneme> needs the attribute 'ph'."),
        ('<phoneme alphabet="pinyin" ph="háng">行</phoneme>', "'háng' is not a syllable of pinyin"),
        ('<phoneme alphabet="pinyin" ph="hong2">行</phoneme>', "The voice has no syllable 'hong2'"),
        ('<phoneme alphabet="pinyin" ph="hang2"> </phoneme>', "<phoneme> must contain the text"),
        ('<phoneme alphabet="pinyin" ph="hang2"><s>行</s></phoneme>', "must not contain elements, but contains <s>"),
        (f'<phoneme alphabet="pinyin" ph="{"hang2 " * 17}">行</phoneme>', "17 syllables, but the limit is 16"),
    ],
)
def test_a_phoneme_that_makes_no_sense(element: str, says: str) -> None:
    assert says in problem(element)


def test_an_engine_with_readings_of_its_own_takes_no_phoneme() -> None:
    says = problem('<phoneme alphabet="pinyin" ph="hang2">行</phoneme>', syllables=())
    assert "engine decides readings by itself" in says
    assert "<sub alias=" in says


# sub


def test_sub() -> None:
    assert only('<sub alias="世界卫生组织">WHO</sub>') == Run("世界卫生组织", BASE, origin="sub")
    assert "<sub> needs the attribute 'alias'" in problem("<sub>WHO</sub>")


# say-as


@pytest.mark.parametrize(
    "kind,written,spoken",
    [
        ("digits", "2026", "二零二六"),
        ("digits", "1234 5678", "一二三四,五六七八"),
        ("cardinal", "1026", "一千零二十六"),
        ("cardinal", "-1,234.50", "负一千二百三十四点五零"),
        ("cardinal", "+2", "正二"),
        ("ordinal", "2", "第二"),
        ("ordinal", "110", "第一百一十"),
        ("date", "2026-11-03", "二零二六年十一月三日"),
        ("date", "20261103", "二零二六年十一月三日"),
        ('date" format="mdy', "11/3/2026", "二零二六年十一月三日"),
        ('date" format="dmy', "3.11.2026", "二零二六年十一月三日"),
        ('date" format="md', "11-3", "十一月三日"),
        ('date" format="ym', "2026-11", "二零二六年十一月"),
        ('date" format="y', "1998", "一九九八年"),
        ("time", "14:05", "十四点零五分"),
        ("time", "2:00", "两点整"),
        ("time", "14:05:30", "十四点零五分三十秒"),
        ('time" format="hms12', "2:30pm", "下午两点三十分"),
        ("telephone", "138-1234-5678", "幺三八,幺二三四,五六七八"),
        ("telephone", "+86 (10) 12345678转8001", "加八六,幺零,幺二三四五六七八转八零零幺"),
        ("telephone", "*100#", "星幺零零井"),
        ("spell-out", "AI-1", " A I 杠 一 "),
        ("characters", "重庆_x", " 重 庆 下划线 x "),
    ],
)
def test_say_as(kind: str, written: str, spoken: str) -> None:
    run = only(f'<say-as interpret-as="{kind}">{written}</say-as>')
    assert (run.text, run.origin) == (spoken, "say-as")


@pytest.mark.parametrize(
    "kind,written,says",
    [
        ("digits", "12a", "digits must be digits"),
        ("digits", "١٢", "digits must be digits"),
        ("cardinal", "12个", "cardinal must be a number of at most 16 digits, not '12个'."),
        ("cardinal", "1" * 17, "at most 16 digits"),
        ("ordinal", "第3", "ordinal must be a whole number, such as 3"),
        ("date", "2026年", "A date of the format ymd is written like 2026-11-23, not '2026年'."),
        ("date", "2026-13-01", "there is no month 13 or no day 1"),
        ('date" format="xyz', "1", "format must be one of ymd"),
        ("time", "25:00", "time must be like 14:05"),
        ("time", "13:00pm", "time must be like"),
        ('time" format="x', "1:00", "format must be hms12 or hms24"),
        ("telephone", "call me", "telephone must be a number such as"),
        ("spell-out", "a😀", "'😀' has no name"),
        ("digits", " ", "There is nothing to say as digits."),
        ("currency", "1", "interpret-as must be one of digits, cardinal, ordinal, date, time, telephone, characters"),
        ('digits" format="x', "1", "format belongs to"),
    ],
)
def test_a_say_as_that_makes_no_sense(kind: str, written: str, says: str) -> None:
    assert says in problem(f'<say-as interpret-as="{kind}">{written}</say-as>')


# prosody, emphasis and voice


@pytest.mark.parametrize(
    "attribute,speed,pitch,volume",
    [
        ('rate="80%"', 1.6, 1, 1),
        ('rate="+20%"', 2.4, 1, 1),
        ('rate="-50%"', 1.0, 1, 1),
        ('rate="1.5"', 3.0, 1, 1),
        ('rate="slow"', 1.6, 1, 1),
        ('rate="x-slow"', 1.0, 1, 1),
        ('rate="medium"', 2.0, 1, 1),
        ('rate="fast"', 2.5, 1, 1),
        ('pitch="+10%"', 2, 1.1, 1),
        ('pitch="+12st"', 2, 2.0, 1),
        ('pitch="-12st"', 2, 0.5, 1),
        ('pitch="low"', 2, 0.88, 1),
        ('volume="+6dB"', 2, 1, 1.9953),
        ('volume="-20%"', 2, 1, 0.8),
        ('volume="soft"', 2, 1, 0.65),
        ('rate="50%" pitch="high" volume="loud"', 1.0, 1.14, 1.5),
    ],
)
def test_prosody(attribute: str, speed: float, pitch: float, volume: float) -> None:
    assert only(f"<prosody {attribute}>好</prosody>").delivery == Delivery(
        "one", speed=speed, pitch=pitch, volume=volume
    )


def test_percentages_add_up_and_names_do_not() -> None:
    assert only('<prosody rate="50%"><prosody rate="50%">好</prosody></prosody>').delivery.speed == 0.5
    assert only('<prosody rate="50%"><prosody rate="medium">好</prosody></prosody>').delivery.speed == 2.0


@pytest.mark.parametrize(
    "attribute,says",
    [
        ('rate="quick"', "rate must be like 80%, +20% or slow, not 'quick'. The names are x-slow, slow"),
        ('rate="500%"', "With rate '500%' the speed would be 10 times the voice's, but 0.25 to 4 work."),
        ('rate="-100%"', "the speed would be 0 times"),
        ('pitch="200Hz"', "pitch must be like +10%, -2st (semitones) or high, not '200Hz'."),
        ('pitch="110%"', "not '110%'"),
        ('volume="50"', "volume must be like +6dB, -20% or soft, not '50'."),
        ('volume="+40dB"', "the volume would be 100 times"),
        ("", "<prosody> needs rate, pitch or volume."),
        ('contour="(0%,+20Hz)"', "<prosody> has no attribute 'contour' here. Its attributes are pitch, rate, volume."),
    ],
)
def test_a_prosody_that_makes_no_sense(attribute: str, says: str) -> None:
    assert says in problem(f"<prosody {attribute}>好</prosody>")


@pytest.mark.parametrize("level", ["strong", "moderate", "none", "reduced"])
def test_emphasis(level: str) -> None:
    how = only(f'<emphasis level="{level}">好</emphasis>').delivery
    louder = {"strong": 1.4, "moderate": 1.2, "none": 1.0, "reduced": 0.8}[level]
    assert how.volume == louder
    assert (how.speed < BASE.speed, how.speed == BASE.speed) == (louder > 1, louder == 1)
    assert (how.pitch > 1, how.pitch == 1) == (louder > 1, louder == 1)


def test_emphasis_is_moderate_by_default_and_never_out_of_range() -> None:
    assert only("<emphasis>好</emphasis>") == only('<emphasis level="moderate">好</emphasis>')
    (run,) = read('<emphasis level="strong">好</emphasis>', base=Delivery("one", speed=0.25))
    assert isinstance(run, Run)
    assert run.delivery.speed == 0.25
    assert "level must be one of strong, moderate, none, reduced, not 'x'." in problem('<emphasis level="x"/>')


def test_voice() -> None:
    assert only('<voice name="two">好</voice>').delivery == Delivery("two", speed=2.0)
    assert "Unknown voice 'three'. Available voices: one, two." in problem('<voice name="three">好</voice>')
    assert "<voice> needs the attribute 'name'" in problem("<voice>好</voice>")


def test_what_is_nested_is_spoken_in_all_ways() -> None:
    runs = read(
        '<voice name="two">甲<prosody rate="50%">乙<emphasis level="reduced">丙</emphasis></prosody>丁</voice>戊'
    )
    assert [each.delivery for each in runs if isinstance(each, Run)] == [
        Delivery("two", speed=2.0),
        Delivery("two", speed=1.0),
        Delivery("two", speed=1.1, pitch=0.98, volume=0.8),
        Delivery("two", speed=2.0),
        BASE,
    ]


# Errors


@pytest.mark.parametrize(
    "document,line,column,says",
    [
        ("<speak>你好<audio/></speak>", 1, 10, "<audio> is not supported. The elements are speak, p, s, break"),
        ("<speak>你好\n  世界<break time='x'/></speak>", 2, 5, "<break>: time must be"),
        ("<speak>\n<sub>WHO</sub></speak>", 2, 1, "<sub> needs the attribute 'alias'"),
        ("<speak><p>你好</speak>", 1, 15, "Expected </p>, because <p> is open."),
        ("<speak><p>你好", 1, 13, "The document ends, but <p> is open."),
        ("<speak><p>你好<s", 1, 13, "The document ends, but <p> is open."),
        ("<speak><![CDATA[你好", 1, 19, "The document ends, but <speak> is open."),
        ("<speak>甲&#0;乙</speak>", 1, 9, "This is not valid XML: reference to invalid character number."),
        ("<speak><break time='1s' time='2s'/></speak>", 1, 25, "This is not valid XML: duplicate attribute."),
        ("<speak>甲&乙</speak>", 1, 11, "This is not valid XML. Write & as &amp;"),
        ("<speak>甲&nbsp;乙</speak>", 1, 9, "Unknown entity. Only &lt; &gt; &amp; &quot; &apos; and numbers"),
        ("<speak>甲</speak>乙", 1, 17, "Nothing may follow </speak>."),
        ("<speak x='1'>甲</speak>", 1, 1, "<speak> has no attribute 'x' here."),
        ("<speak xml:lang='en-US'>hi</speak>", 1, 1, "xml:lang is 'en-US', but the voices speak only Mandarin: zh-CN."),
        ("<speak><speak>甲</speak></speak>", 1, 8, "<speak> must be the outermost element"),
    ],
)
def test_an_error_says_where_it_is(document: str, line: int, column: int, says: str) -> None:
    with pytest.raises(ScriptError) as caught:
        read_ssml(document, BASE, voices=("one",), syllables=SYLLABLES, max_characters=500)
    message = str(caught.value)
    assert message.startswith(f"SSML, line {line}, column {column}: {says}"), message
    assert caught.value.code == "invalid_ssml"


def test_entities_cannot_be_declared() -> None:
    lol = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 10))
    bomb = f'<speak/><!DOCTYPE speak [<!ENTITY l0 "lol">{lol}]><speak>&l9;</speak>'
    for document in (bomb, bomb.removeprefix("<speak/>")):
        with pytest.raises(ScriptError):
            read_ssml(document, BASE, voices=("one",), syllables=(), max_characters=500)
    with pytest.raises(ScriptError, match="A DOCTYPE is not allowed"):
        read_ssml(
            "<!DOCTYPE speak SYSTEM 'file:///etc/passwd'><speak/>", BASE, voices=(), syllables=(), max_characters=9
        )


def test_depth_is_limited() -> None:
    assert read("<p>" * 15 + "好" + "</p>" * 15) == (Run("好", BASE),)
    assert "nested more than 16 deep" in problem("<p>" * 100_000)


@pytest.mark.parametrize(
    "body",
    [
        "好" * 11,
        f'<sub alias="{"好" * 11}">x</sub>',
        f'<phoneme alphabet="pinyin" ph="{"hang2 " * 11}">行</phoneme>',
        f'<say-as interpret-as="digits">{"1" * 11}</say-as>',
        "好" * 5 + "<s>好</s>" * 6,
    ],
)
def test_what_is_spoken_is_limited_and_markup_is_not(body: str) -> None:
    with pytest.raises(ScriptError, match=re.escape("has more than 10 characters")) as caught:
        read(body, limit=10)
    assert caught.value.code == "input_too_long"
    assert read(body, limit=11)
