from pathlib import Path

from ui.stack.plugins import select


def folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).mkdir()
    return path


def test_a_node_sees_what_it_may_need_and_not_the_rest(tmp_path: Path) -> None:
    needed = {"ra-2.2.0", "rabbit-3.10.8", "rabbitmq_prelaunch-3.10.8", "rabbitmq_consistent_hash_exchange-3.10.8"}
    bundled = folder(tmp_path / "plugins", *needed, "rabbitmq_management-3.10.8", "rabbitmq_web_mqtt-3.10.8")

    chosen = select(bundled, tmp_path / "chosen")

    assert chosen == tmp_path / "chosen"
    assert {link.name for link in chosen.iterdir()} == needed


def test_links_are_made_anew_for_another_version(tmp_path: Path) -> None:
    select(folder(tmp_path / "old", "rabbitmq_prelaunch-3.10.8"), tmp_path / "chosen")

    select(folder(tmp_path / "new", "rabbitmq_prelaunch-4.1.0"), tmp_path / "chosen")

    assert [link.name for link in (tmp_path / "chosen").iterdir()] == ["rabbitmq_prelaunch-4.1.0"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    assert select(folder(tmp_path / "other", "readme"), tmp_path / "chosen") is None
    assert select(tmp_path / "nowhere", tmp_path / "chosen") is None
