import pickle
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hub import fiscal
from hub.fiscal import FiscalError

CPF = "52998224725"
CNPJ = "11222333000181"
CNPJ_WITH_LETTERS = "12ABC34501DE35"  # The example of the Receita Federal.
KEY_WITH_LETTERS = "35260712ABC34501DE35550010000001231123456787"

DIGITS = "0123456789"
LETTERS_TOO = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

quick = settings(deadline=None, max_examples=150)


# Check digits written a second time, from the published rules without stdnum, so that the two can disagree.


def modulo_11(body: str, weights: list[int]) -> str:
    rest = sum((ord(char) - 48) * weight for char, weight in zip(body, weights, strict=True)) % 11
    return "0" if rest < 2 else str(11 - rest)


def with_cpf_digits(body: str) -> str:
    first = body + modulo_11(body, list(range(10, 1, -1)))
    return first + modulo_11(first, list(range(11, 1, -1)))


def with_cnpj_digits(body: str) -> str:
    first = body + modulo_11(body, [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
    return first + modulo_11(first, [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])


def with_key_digit(body: str) -> str:
    assert len(body) == 43
    return body + modulo_11(body, [4, 3, 2] + [9, 8, 7, 6, 5, 4, 3, 2] * 5)


def with_gtin_digit(body: str) -> str:
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


def a_key(*, uf: str = "35", month: str = "2607", issuer: str = CNPJ, model: str = "55", series: str = "001") -> str:
    return with_key_digit(f"{uf}{month}{issuer}{model}{series}000000123112345678")


def refused(call: object, *args: object) -> FiscalError:
    with pytest.raises(FiscalError) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value


# CPF and CNPJ


@pytest.mark.parametrize("text", [CPF, "529.982.247-25", " 529 982 247 25\n", "529.982.247–25", "\u00a0529.982.247-25"])
def test_a_cpf_loses_its_mask(text: str) -> None:
    assert fiscal.cpf(text) == CPF


@quick
@given(st.text(DIGITS, min_size=9, max_size=9))
def test_every_cpf_with_right_check_digits_is_taken_and_every_changed_digit_refused(body: str) -> None:
    assume(len(set(body)) > 1)
    code = with_cpf_digits(body)
    assert fiscal.cpf(code) == code
    changed = code[:9] + str((int(code[9]) + 1) % 10) + code[10]
    assert refused(fiscal.cpf, changed).reason == "check_digit"


@pytest.mark.parametrize("digit", DIGITS)
def test_eleven_equal_digits_are_no_cpf_though_their_check_digits_are_right(digit: str) -> None:
    error = refused(fiscal.cpf, digit * 11)
    assert (error.field, error.reason) == ("cpf", "repeated")
    assert refused(fiscal.document, f"{digit * 3}.{digit * 3}.{digit * 3}-{digit * 2}").reason == "repeated"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (CNPJ, CNPJ),
        ("11.222.333/0001-81", CNPJ),
        ("11222333000181\n", CNPJ),
        (CNPJ_WITH_LETTERS, CNPJ_WITH_LETTERS),
        ("12.abc.345/01de-35", CNPJ_WITH_LETTERS),
    ],
)
def test_a_cnpj_loses_its_mask_and_gets_capitals(text: str, code: str) -> None:
    assert fiscal.cnpj(text) == code
    assert fiscal.document(text) == code


@quick
@given(st.text(LETTERS_TOO, min_size=12, max_size=12))
def test_every_cnpj_with_right_check_digits_is_taken_and_every_changed_digit_refused(body: str) -> None:
    assume(len(set(body)) > 1)
    code = with_cnpj_digits(body)
    assert fiscal.cnpj(code.lower()) == code
    assert refused(fiscal.cnpj, code[:13] + str((int(code[13]) + 1) % 10)).reason == "check_digit"


def test_a_document_is_told_apart_by_its_length() -> None:
    assert fiscal.document("529.982.247-25") == CPF
    assert refused(fiscal.document, "529.982.247-26").field == "cpf"
    assert refused(fiscal.document, "11.222.333/0001-82").field == "cnpj"
    error = refused(fiscal.document, "123456789012")
    assert (error.field, error.reason) == ("document", "length")
    assert refused(fiscal.document, "").reason == "empty"


@quick
@given(st.text(LETTERS_TOO + ".-/ é", min_size=4, max_size=60))
def test_a_refused_document_never_shows_itself(text: str) -> None:
    try:
        fiscal.document(text)
    except FiscalError as error:
        code = "".join(char for char in text if char not in ".-/ ")
        for shown in (str(error), repr(error), error.received):
            assert text not in shown or not code
            assert all(code[start : start + 4] not in shown for start in range(max(len(code) - 5, 0)))


def test_a_mask_shows_the_check_digits_only() -> None:
    assert fiscal.mask_document("529.982.247-25") == "***.***.***-25"
    assert fiscal.mask_document("11.222.333/0001-81") == "**.***.***/****-81"
    assert fiscal.mask_document("12345678") == "********"
    assert fiscal.mask_document("Rua das Amostras, 100 - apartamento 42") == "*" * 18
    assert fiscal.mask_document("") == ""
    assert fiscal.mask_document(52998224725) == "<int>"


def test_the_error_says_what_came_what_is_wrong_and_what_is_valid() -> None:
    assert str(refused(fiscal.cpf, "529.982.247-26")) == (
        "cpf '***.***.***-26' refused: its check digits are wrong. "
        "Valid: 11 digits with right check digits, with or without dots and hyphen."
    )


def test_the_error_survives_the_way_to_another_process() -> None:
    error = refused(fiscal.gtin, "7891234567890")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.field, again.received, again.reason) == ("gtin", "7891234567890", "check_digit")
    assert isinstance(again, ValueError)


# GTIN and NCM


@quick
@given(st.sampled_from([7, 11, 12, 13]).flatmap(lambda size: st.text(DIGITS, min_size=size, max_size=size)))
def test_a_gtin_keeps_its_length_and_has_a_key_of_14_digits(body: str) -> None:
    assume(body.strip("0"))
    code = with_gtin_digit(body)
    assert fiscal.gtin(code) == code
    assert fiscal.gtin_key(code) == "0" * (14 - len(code)) + code
    assert refused(fiscal.gtin, body + str((int(code[-1]) + 1) % 10)).reason == "check_digit"


def test_upc_ean_and_gtin_14_of_one_article_have_one_key() -> None:
    spellings = ["036000291452", "0036000291452", "00036000291452", " 0-36000-29145-2 "]
    assert {fiscal.gtin_key(text) for text in spellings} == {"00036000291452"}
    assert fiscal.gtin(spellings[0]) == "036000291452"


@pytest.mark.parametrize("text", [None, "", "  ", "SEM GTIN", "sem gtin", " Sem  Gtin ", "SEMGTIN"])
def test_no_gtin_is_none(text: str | None) -> None:
    assert fiscal.gtin(text) is None
    assert fiscal.gtin_key(text) is None


def test_a_refused_gtin_is_shown_as_it_came_but_not_by_the_page() -> None:
    assert refused(fiscal.gtin, " 789-123 ").received == " 789-123 "
    assert len(refused(fiscal.gtin, "9" * 5000).received) == 41


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("8471.30.12", "84713012"),
        ("84713012", "84713012"),
        (" 0101.21.00 ", "01012100"),
        ("", None),
        (None, None),
    ],
)
def test_an_ncm_loses_its_dots(text: str | None, code: str | None) -> None:
    assert fiscal.ncm(text) == code


# CEP


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("01310-100", "01310100"),
        ("01.310-100", "01310100"),
        ("01310100", "01310100"),
        (1310100, "01310100"),
        (95700000, "95700000"),
    ],
)
def test_a_cep_is_eight_digits_and_only_a_number_is_padded(value: str | int, code: str) -> None:
    assert fiscal.cep(value) == code


def test_a_refused_cep_shows_the_district_at_most() -> None:
    assert refused(fiscal.cep, "01310-1000").received == "01310***"
    assert refused(fiscal.cep, "Rua das Amostras").received == "*" * 8


# What is refused, and why

REFUSED: dict[str, list[tuple[object, str]]] = {
    "cpf": [
        ("", "empty"),
        (" .-", "empty"),
        (None, "empty"),
        (52998224725, "type"),
        ("5299822472", "length"),
        ("191", "length"),
        ("052998224725", "length"),
        ("5299822472A", "characters"),
        ("٥٢٩٩٨٢٢٤٧٢٥", "characters"),
        ("529#982#247#25", "characters"),
        ("52998224724", "check_digit"),
    ],
    "cnpj": [
        ("", "empty"),
        (None, "empty"),
        (11222333000181, "type"),
        (True, "type"),
        ("1122233300018", "length"),
        ("1222333000181", "length"),
        ("1122233300018A", "characters"),
        ("12ABC34501DE3X", "characters"),
        ("11#222#333#0001#81", "characters"),
        ("12ıBC34501DE35", "characters"),
        ("1ßBC34501DE35", "characters"),
        ("0" * 14, "repeated"),
        ("00000000000012", "repeated"),
        ("1" * 14, "repeated"),
        ("11222333000182", "check_digit"),
        ("12ABC34501DE36", "check_digit"),
    ],
    "gtin": [
        ("36000291452", "length"),
        ("789", "length"),
        ("0", "length"),
        ("0000000000000", "repeated"),
        ("789123456789X", "characters"),
        ("٧٨٩١٢٣٤٥٦٧٨٩٥", "characters"),
        ("7.89123E+12", "characters"),
        (7891234567895, "type"),
        ("7891234567890", "check_digit"),
    ],
    "ncm": [("1111", "length"), ("847130123", "length"), ("8471301A", "characters"), (84713012, "type")],
    "cep": [
        ("1310100", "length"),
        ("0000", "length"),
        (131010, "length"),
        (0, "length"),
        (-1310100, "characters"),
        (131010000, "length"),
        ("00000-000", "range"),
        ("00999-999", "range"),
        ("0131O-100", "characters"),
        ("", "empty"),
        (None, "empty"),
        (True, "type"),
        (1310100.0, "type"),
    ],
}


@pytest.mark.parametrize(
    ("field", "received", "reason"),
    [(field, received, reason) for field, cases in REFUSED.items() for received, reason in cases],
)
def test_a_wrong_code_is_refused_with_its_reason(field: str, received: object, reason: str) -> None:
    error = refused(getattr(fiscal, field), received)
    assert (error.field, error.reason) == (field, reason)


# Access key


def test_a_key_is_taken_apart() -> None:
    key = fiscal.access_key(KEY_WITH_LETTERS)
    assert key == fiscal.AccessKey(
        text=KEY_WITH_LETTERS,
        uf="SP",
        year_month="2026-07",
        issuer=CNPJ_WITH_LETTERS,
        model="55",
        series=1,
        number=123,
        emission_type="1",
    )
    with pytest.raises(FrozenInstanceError):
        key.number = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        "NFe" + KEY_WITH_LETTERS,
        KEY_WITH_LETTERS.lower() + "\n",
        " ".join(KEY_WITH_LETTERS[start : start + 4] for start in range(0, 44, 4)),
        f"nfe {KEY_WITH_LETTERS[:20]}-{KEY_WITH_LETTERS[20:]}",
    ],
)
def test_a_key_is_read_from_xml_ids_bar_codes_and_mails(text: str) -> None:
    assert fiscal.access_key(text).text == KEY_WITH_LETTERS


@quick
@given(
    uf=st.sampled_from(["11", "17", "21", "29", "31", "35", "43", "50", "53"]),
    month=st.integers(1, 12),
    root=st.text(LETTERS_TOO, min_size=12, max_size=12),
    series=st.integers(0, 889),
    number=st.integers(1, 999_999_999),
    emission=st.integers(1, 9),
)
def test_every_well_made_key_is_read_back(
    *, uf: str, month: int, root: str, series: int, number: int, emission: int
) -> None:
    assume(root.strip("0"))
    issuer = with_cnpj_digits(root)
    text = with_key_digit(f"{uf}26{month:02d}{issuer}65{series:03d}{number:09d}{emission}12345678")
    key = fiscal.access_key(text)
    assert (key.issuer, key.model, key.series, key.number) == (issuer, "65", series, number)
    assert (key.year_month, key.emission_type) == (f"2026-{month:02d}", str(emission))
    wrong = text[:43] + str((int(text[43]) + 1) % 10)
    assert refused(fiscal.access_key, wrong).reason == "check_digit"


@pytest.mark.parametrize("series", ["920", "915", "890", "001"])
def test_a_person_may_be_the_issuer(series: str) -> None:
    assert fiscal.access_key(a_key(issuer="000" + CPF, series=series)).issuer == CPF


def test_the_series_decides_where_an_issuer_reads_as_both() -> None:
    both = "000" + with_cpf_digits("001234567")
    assert both == with_cnpj_digits(both[:12])
    assert fiscal.access_key(a_key(issuer=both, series="001")).issuer == both
    assert fiscal.access_key(a_key(issuer=both, series="920")).issuer == both[3:]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("NFe", "length"),
        (None, "empty"),
        (int(a_key()), "type"),
        (a_key()[:-1], "length"),
        (a_key() + "0", "length"),
        (a_key()[:30] + "#" + a_key()[31:], "characters"),
        (a_key()[:30] + "A" + a_key()[31:], "characters"),
        ("A" + a_key()[1:], "characters"),
        (a_key(uf="36"), "uf"),
        (a_key(uf="00"), "uf"),
        (a_key(month="2600"), "month"),
        (a_key(month="2613"), "month"),
        (a_key(model="57"), "model"),
        (a_key(issuer="11222333000182"), "issuer"),
        (a_key(issuer="12ABC34501DE36"), "issuer"),
        (a_key(issuer="0" * 14), "issuer"),
        (a_key(issuer="000" + "1" * 11, series="920"), "issuer"),
    ],
)
def test_a_wrong_key_is_refused_with_its_reason(text: object, reason: str) -> None:
    error = refused(fiscal.access_key, text)
    assert (error.field, error.reason) == ("access_key", reason)


def test_a_refused_key_hides_its_issuer_but_not_its_number() -> None:
    error = refused(fiscal.access_key, a_key(issuer="000" + CPF[:-1] + "0", series="920"))
    assert CPF[:6] not in str(error)
    assert "55920000000123" in error.received
    assert refused(fiscal.access_key, CPF).received == "*" * 11
