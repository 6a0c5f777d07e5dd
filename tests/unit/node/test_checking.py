"""The dry run tells what neither registry nor drivers could know alone."""

from pathlib import Path

from mingwu.node.checking import check_file

TINY = (Path(__file__).parents[1] / "registry" / "tiny.toml").read_text(encoding="utf-8")


def test_codes_that_no_system_takes_are_faults(tmp_path):
    file = tmp_path / "plant.toml"
    codes = 'codes = ["(01)06901234567890", "(8004)6901234M0187", "\\u4e2d?"]\n'
    file.write_text(TINY.replace('id = "MLD.M0187"\n', 'id = "MLD.M0187"\n' + codes), "utf-8")
    kind, findings = check_file(file)
    assert kind == "plant"
    findings = [one for one in findings if "codes" in one.path]
    assert [one.path for one in findings] == ["$.thing[1].codes[0]", "$.thing[1].codes[2]"]
    assert all(one.en and one.zh for one in findings)
