"""`workflows`: what the commands tell of manifests, in order or not."""

from orchestration_project.manifests import HEALTH, manifest_files
from orchestration_project.settings import Home


def own(home, *changes):
    """A manifest of the home's own, with changes of the one that ships."""
    content = manifest_files(Home(home))[HEALTH].read_text(encoding="utf-8")
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    file = home / "workflows" / f"{HEALTH}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    return file


def test_what_ships_is_listed_shown_checked_and_drawn(copy):
    (listed,) = copy("workflows", "list", "--json").json
    assert (listed["workflow"], listed["version"], listed["from"]) == (HEALTH, 1, "project")
    shown = copy("workflows", "show", HEALTH, "--json").json
    assert shown["connections"][0]["from"] == "customer_data_collector"
    assert list(shown["roles"]) == listed["steps"]
    printed = copy("workflows", "show").out
    assert "score from 4 to below 8" in printed
    assert "share(complete) > 0.95" in printed
    checked = copy("workflows", "check")
    assert (checked.code, checked.out.strip()) == (0, f"{HEALTH}: in order")
    assert 'risk_assessor -->|"score from 8"| account_manager_alert' in copy("workflows", "graph").out


def test_every_mistake_is_told_with_its_line_and_nothing_runs_before_it_is_mended(demo, copy):
    own(copy.home, ("share(complete) > 0.95", "share(whole) > 0.95"), ("attempts: 3", "attempts: 11"))
    checked = copy("workflows", "check")
    assert checked.code == 1
    assert f"{HEALTH}: 1 wrong" in checked.out
    assert "`roles.customer_data_collector.attempts` does not fit" in checked.err

    file = own(copy.home, ("attempts: 11", "attempts: 3"))
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "share(whole)" in text)
    (wrong,) = copy("workflows", "check", "--json").json
    assert [problem.split(": ")[0] for problem in wrong["problems"]] == [f"{file}, line {line}"]
    sentence = copy("scan", "--date", demo.yesterday).sentence
    assert "there is no column whole; use one of customer_id" in sentence


def test_a_changed_criterion_changes_what_the_next_scan_is_told(demo, copy):
    own(copy.home, ('share(trend != "unknown") > 0.5', "rows() > 1000000"))
    told = copy("scan", "--date", demo.yesterday, "--json").json
    assert any("trends_known" in warning for warning in told["warnings"])


def test_a_criterion_that_stops_is_told_in_one_sentence_with_what_to_do(demo, copy):
    own(copy.home, ("share(complete) > 0.95", "rows() > 1000000"))
    sentence = copy("scan", "--date", demo.yesterday).sentence
    assert "check profiles_complete of customer_profiles did not pass" in sentence
    assert "change the criterion in the workflow's manifest" in sentence
