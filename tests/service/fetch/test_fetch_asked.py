"""What the command line and lists ask for, and what they cannot."""

from datetime import date

import pytest

from service.errors import UsageError
from service.fetch.asked import asked_for, day_range

TODAY = date(2026, 3, 5)


def listed(tmp_path, text, group="", encoding="utf-8"):
    path = tmp_path / "list.csv"
    path.write_text(text, encoding=encoding)
    return asked_for([], [], path, (), group).studies


def test_nothing_asked_for_is_a_usage_error():
    with pytest.raises(UsageError, match="nothing asked for"):
        asked_for([], [], None, (), "")


def test_a_range_of_days_holds_both_ends_and_ends_today_by_default():
    assert day_range("2026-03-01", "2026-03-02", TODAY) == (date(2026, 3, 1), date(2026, 3, 2))
    assert day_range("2026-03-04", None, TODAY) == (date(2026, 3, 4), TODAY)
    assert day_range(None, None, TODAY) == ()


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-03-02", "2026-03-01", "is before --from"),
        (None, "2026-03-01", "--to needs --from"),
        ("01.03.2026", None, "--from '01.03.2026': expected a date such as 2024-03-31"),
        ("2026-02-30", None, "expected a date"),
    ],
)
def test_ranges_that_are_none_are_named(first, last, said):
    with pytest.raises(UsageError, match=said):
        day_range(first, last, TODAY)


def test_a_list_brings_studies_and_persons(tmp_path):
    first, second = listed(
        tmp_path,
        "Accession_Number,group,age,sex,patient_id,remark\nA1,benign,61,F,P1,x\nA2,,,,,\n",
        group="malignant",
    )
    assert first.keys.AccessionNumber == "A1"
    assert (first.person.group, first.person.age, first.person.sex) == ("benign", "61", "F")
    assert first.person.patient_id == "P1"
    assert second.person.group == "malignant"


@pytest.mark.parametrize(
    "text",
    [
        "A1\nA2\n",
        "accession_number\nA1\nA2\n",
        '"accession_number";"group"\n"A1";x\nA2;y\n',
        "group,accession_number\n,A1\n,A2\n",
    ],
)
def test_lists_as_spreadsheets_write_them(tmp_path, text):
    for encoding in ("utf-8", "utf-8-sig"):
        studies = listed(tmp_path, text, encoding=encoding)
        assert [study.keys.AccessionNumber for study in studies] == ["A1", "A2"]


def test_a_list_may_name_study_uids(tmp_path):
    (study,) = listed(tmp_path, "study_instance_uid\n1.2.3\n")
    assert study.keys.StudyInstanceUID == "1.2.3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("number,age\nA1,61\n", "expected a column accession_number or study_instance_uid"),
        ("accession_number\nSECRET\\9\n", r"list.csv line 2: an accession number holds"),
        ("study_instance_uid\nSECRET 9\n", "list.csv line 2: a StudyInstanceUID is no UID"),
        ("accession_number,age\n,61\n", "list.csv line 2: is empty"),
    ],
)
def test_a_bad_line_is_named_by_its_place_and_not_by_its_content(tmp_path, text, said):
    with pytest.raises(UsageError, match=said) as caught:
        listed(tmp_path, text)
    assert "SECRET" not in str(caught.value)


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        asked_for([], [], tmp_path / "none.csv", (), "")
