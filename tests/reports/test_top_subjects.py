"""Report top_subjects: the subjects of most events, and how it stays small."""

from polars.testing import assert_frame_equal

from pipelines.reports.top_subjects import MOST, TOP_SUBJECTS
from tests.reports.rows import built, events, table

ARTICLE = {"action": "view", "subject_type": "article"}


def test_what_was_done_to_each_subject_is_counted() -> None:
    result = built(
        TOP_SUBJECTS,
        events=events(
            {**ARTICLE, "subject_id": "1"},
            {**ARTICLE, "subject_id": "1"},
            {**ARTICLE, "subject_id": "1", "visitor_id": "bob"},
            {**ARTICLE, "subject_id": "1", "visitor_id": None},
            {**ARTICLE, "subject_id": "1", "visitor_id": "crawler", "is_bot": True},
            {**ARTICLE, "subject_id": "1", "action": "like"},
            {"action": "buy", "subject_id": "2"},
            {"action": "signup"},
        ),
    )
    expected = table(
        TOP_SUBJECTS,
        {"subject_type": "", "subject_id": "2", "action": "buy", "events": 1, "visitors": 1},
        {"subject_type": "article", "subject_id": "1", "action": "like", "events": 1, "visitors": 1},
        {"subject_type": "article", "subject_id": "1", "action": "view", "events": 4, "visitors": 2},
    )
    assert_frame_equal(result, expected)


def test_subjects_past_the_thousand_of_most_events_are_one_row() -> None:
    often = [{**ARTICLE, "subject_id": str(number)} for number in range(MOST - 1) for _ in range(2)]
    once = [{**ARTICLE, "subject_id": f"once {number}"} for number in range(2)]
    result = built(TOP_SUBJECTS, events=events(*often, *once, {**ARTICLE, "site": "other.org", "subject_id": "x"}))
    others = {"subject_type": "", "subject_id": "", "action": ""}
    assert_frame_equal(result.head(1), table(TOP_SUBJECTS, {**others, "events": 2, "visitors": None}))
    assert result["events"].to_list() == [2, *[2] * (MOST - 1), 1]
    fits = built(TOP_SUBJECTS, events=events(*often, once[0]))
    assert fits.height == MOST
    assert "" not in fits["subject_id"]


def test_ids_that_are_all_different_are_one_row() -> None:
    result = built(TOP_SUBJECTS, events=events(*({**ARTICLE, "subject_id": str(number)} for number in range(MOST + 1))))
    assert result.select("subject_id", "events", "visitors").rows() == [("", MOST + 1, None)]
