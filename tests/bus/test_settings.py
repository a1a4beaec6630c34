"""Settings come from the environment, then one file, then the defaults; a wrong one is named."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bus import settings
from bus.errors import SetupError

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(f"OVERSPILL_{name.upper()}", raising=False)
    for name in (*settings.NAMED_BY_OTHERS, "OVERSPILL_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(text: str) -> Path:
        path = tmp_path / "overspill.toml"
        path.write_text(text)
        return path

    return _write


def test_the_defaults_are_a_whole_system() -> None:
    defaults = settings.load()
    assert defaults.amqp_url is None
    assert (defaults.policy, defaults.cpu_threshold, defaults.ram_threshold) == ("threshold", 40.0, 90.0)
    assert (defaults.max_image_bytes, defaults.max_pixels, defaults.job_timeout_s) == (16 << 20, 50_000_000, 60.0)
    assert defaults.operations == ("sketch", "remove-background", "caption")
    assert defaults.lost_after_s == 3.0


def test_an_argument_beats_the_environment_which_beats_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write('slots = 3\nlook_ahead = 4\namqp_url = "amqp://file/"\nlog_level = "ERROR"\n')
    monkeypatch.setenv("OVERSPILL_SLOTS", "5")
    monkeypatch.setenv("AMQP_URL", "amqp://environment/")
    monkeypatch.setenv("OVERSPILL_LOG_LEVEL", "DEBUG")
    loaded = settings.load(log_level="WARNING", look_ahead=None)
    assert (loaded.look_ahead, loaded.slots, loaded.log_level) == (4, 5, "WARNING")
    assert loaded.amqp_url == "amqp://environment/"


def test_the_file_may_lie_elsewhere(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write("slots = 7")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert settings.load().slots is None
    monkeypatch.setenv("OVERSPILL_CONFIG", str(path))
    assert settings.load().slots == 7


def test_operations_are_a_list_with_commas(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write('operations = ["caption"]')
    assert settings.load().operations == ("caption",)
    monkeypatch.setenv("OVERSPILL_OPERATIONS", "sketch, caption,")
    assert settings.load().operations == ("sketch", "caption")


def test_limits_and_budgets_have_defaults_that_stop_nobody_but_a_flood() -> None:
    defaults = settings.load()
    assert (defaults.user_queued, defaults.user_jobs_per_minute) == (1000, None)
    assert (defaults.cloud_jobs_per_minute, defaults.cloud_money_per_day) == (None, None)
    assert (defaults.lane_prefetch, defaults.window_mib, defaults.retry_delay_s) == (4, 256, 0.5)


def test_there_is_a_cloud_and_no_store_until_they_are_named() -> None:
    defaults = settings.load()
    assert (defaults.cloud, defaults.cloud_services, defaults.cloud_project, defaults.blobs) == (
        "pubsub",
        (),
        None,
        None,
    )
    assert (defaults.max_claim_bytes, defaults.blobs_kept_s) == (64 << 20, 86_400)
    assert not defaults.cloud_push_unverified


def test_services_serve_one_operation_or_all(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write('cloud_services = [["", "https://file.example"]]')
    assert settings.load().cloud_services == (("", "https://file.example"),)
    text = "https://all.example/, sketch = https://a.example?x=1,caption=http://127.0.0.1:1,"
    monkeypatch.setenv("OVERSPILL_CLOUD_SERVICES", text.replace(" = ", "="))
    assert settings.load().cloud_services == (
        ("", "https://all.example"),
        ("sketch", "https://a.example?x=1"),
        ("caption", "http://127.0.0.1:1"),
    )


def test_what_google_names_is_read_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "9000", "K_SERVICE": "s", "K_REVISION": "s-1", "PUBSUB_EMULATOR_HOST": "h:1"}.items():
        monkeypatch.setenv(name, value)
    loaded = settings.load()
    assert (loaded.port, loaded.k_service, loaded.k_revision, loaded.pubsub_emulator_host) == (9000, "s", "s-1", "h:1")


def test_users_weights_are_pairs_with_commas_or_a_table(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load().user_weights == {}
    write("[user_weights]\nanna = 2\n")
    assert settings.load().user_weights == {"anna": 2.0}
    monkeypatch.setenv("OVERSPILL_USER_WEIGHTS", "anna=2, ben = 0.5, a=b=3,")
    assert settings.load().user_weights == {"anna": 2.0, "ben": 0.5, "a=b": 3.0}


@pytest.mark.parametrize("policy", ["threshold", "least-loaded", "p2c", "predictive"])
def test_each_policy_is_chosen_by_its_name(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERSPILL_POLICY", policy)
    assert settings.load().policy == policy


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OVERSPILL_USER_QUEUED", "0", "greater than or equal to 1"),
        ("OVERSPILL_USER_JOBS_PER_MINUTE", "0", "greater than or equal to 1"),
        ("OVERSPILL_USER_WEIGHTS", "anna", "anna=2,ben=0.5"),
        ("OVERSPILL_USER_WEIGHTS", "anna=0", "greater than 0 for each user"),
        ("OVERSPILL_CLOUD_MONEY_PER_DAY", "-1", "greater than or equal to 0"),
        ("OVERSPILL_LANE_PREFETCH", "65", "less than or equal to 64"),
        ("OVERSPILL_WINDOW_MIB", "0", "greater than or equal to 1"),
        ("OVERSPILL_SLOTS", "0", "greater than or equal to 1"),
        ("OVERSPILL_CPU_THRESHOLD", "nan", "finite"),
        ("OVERSPILL_JOB_TIMEOUT_S", "inf", "finite"),
        ("OVERSPILL_POLICY", "hope", "'threshold'"),
        ("OVERSPILL_VM_NAME", "VM one", "lower-case letters"),
        ("OVERSPILL_CLOUD", "moon", "'pubsub', 'http' or 'none'"),
        ("OVERSPILL_CLOUD_SERVICES", "ftp://a.example", "https://all.example or sketch=https"),
        ("OVERSPILL_CLOUD_SERVICES", "sketch=a.example", "https://all.example or sketch=https"),
        ("OVERSPILL_CLOUD_SERVICES", "paint=https://a.example", "names no operation: 'paint'"),
        ("OVERSPILL_CLOUD_SERVICES", "https://", "'https:', which is no address"),
        ("OVERSPILL_CLOUD_PREFIX", "Over Spill", "should match pattern"),
        ("OVERSPILL_CLOUD_DELIVERIES", "4", "greater than or equal to 5"),
        ("OVERSPILL_CLOUD_IN_FLIGHT", "0", "greater than or equal to 1"),
        ("OVERSPILL_CLOUD_TIMEOUT_S", "1501", "less than or equal to 1500"),
        ("OVERSPILL_UPLINK_MBIT", "0", "greater than 0"),
        ("OVERSPILL_SERVICE_TOKEN", "", "at least 1 character"),
        ("OVERSPILL_SERVICE_TOKEN", "\n", "at least 1 character"),
        ("OVERSPILL_SERVICE_TOKEN", "two words", "printable ASCII without spaces"),
        ("OVERSPILL_BLOBS_KEPT_S", "59", "greater than or equal to 60"),
        ("PORT", "65536", "less than or equal to 65535"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_must_be(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=rf"^{name} is wrong: .*{says}.* See docs/settings.md"):
        settings.load()


def test_the_line_break_after_a_token_is_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERSPILL_SERVICE_TOKEN", " gehe!m~\n")
    assert settings.load().service_token == "gehe!m~"


@pytest.mark.parametrize("token", ["gehe\nim", "gehéim", "gehe im", "gehe\x7fim"])
def test_a_token_that_no_header_carries_is_refused_and_not_repeated(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERSPILL_SERVICE_TOKEN", token)
    with pytest.raises(SetupError) as caught:
        settings.load()
    assert str(caught.value) == (
        "OVERSPILL_SERVICE_TOKEN is wrong: service_token: must be printable ASCII without spaces, to be sent in a "
        "header. See docs/settings.md."
    )


def test_the_brokers_address_is_named_as_it_is_set(write: Write) -> None:
    write("amqp_url = 5")
    with pytest.raises(SetupError, match=r"^AMQP_URL is wrong"):
        settings.load()


def test_a_file_that_is_not_toml_is_named(write: Write) -> None:
    write("slots: 3")
    with pytest.raises(SetupError, match=r"^overspill\.toml is not TOML"):
        settings.load()


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERSPILL_CONFIG", "/nowhere/settings.toml")
    with pytest.raises(SetupError, match=r"/nowhere/settings\.toml, which is not there"):
        settings.load()


def test_of_a_wrong_weight_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERSPILL_USER_WEIGHTS", "anna=heavy")
    with pytest.raises(SetupError, match=r"^OVERSPILL_USER_WEIGHTS(\.ANNA)? is wrong: .*valid number"):
        settings.load()


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("Vm-1.example.org", "vm-1-example-org"), ("", "vm"), ("---", "vm"), ("é", "vm"), ("a" * 62 + "--b", "a" * 62)],
)
def test_any_host_name_makes_a_name_on_the_bus(hostname: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: hostname)
    assert settings.load().vm_name == name


def test_the_state_lies_beside_the_virtual_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.base_prefix", "/usr")
    monkeypatch.setattr("sys.prefix", "/home/ada/overspill/.venv")
    assert settings.load().state_dir == Path("/home/ada/overspill/.overspill")


def test_without_a_virtual_environment_the_state_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.prefix", sys.base_prefix)
    assert settings.load().state_dir == tmp_path / ".overspill"
