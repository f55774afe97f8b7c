"""Settings are read whole or refused in one sentence that says how to mend them."""

from pathlib import Path

import pytest

from kentongan.settings import (
    Settings,
    SettingsError,
    load,
    names_of,
    read_files,
    refuse_strangers,
)

KEY = "canary-of-a-secret-key-0123456789"


def test_nothing_set_gives_the_defaults() -> None:
    found = load(Settings, {})

    assert found.http_host == "127.0.0.1"
    assert found.secret_key == []
    assert found.simulator_url == ""


def test_environment_given_wins_over_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KENTONGAN_HTTP_PORT", "1")

    assert load(Settings, {"KENTONGAN_HTTP_PORT": "2"}).http_port == 2


def test_lists_are_separated_by_commas_and_blanks_are_nothing() -> None:
    found = load(
        Settings,
        {
            "KENTONGAN_HOSTS": " one.example , two.example,, ",
            "KENTONGAN_SECRET_KEY": f"{KEY}-new, {KEY}-old",
        },
    )

    assert found.hosts == ["one.example", "two.example"]
    assert [key.get_secret_value() for key in found.secret_key] == [f"{KEY}-new", f"{KEY}-old"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KENTONGAN_HTTP_PORT", "eighty"),
        ("KENTONGAN_HTTP_PORT", "70000"),
        ("KENTONGAN_WORKERS", "0"),
        ("KENTONGAN_DEFAULT_REGION", "Indonesia"),
        ("KENTONGAN_LOG_LEVEL", "LOUD"),
        ("KENTONGAN_PUBLIC_URL", "warn.example.org"),
        ("KENTONGAN_PUBLIC_URL", "https://warn.example.org/?a=b"),
        ("KENTONGAN_SECRET_KEY", "canary-short"),
    ],
)
def test_bad_value_is_one_sentence_that_names_it_and_not_what_it_held(
    name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(Settings, {name: value})

    said = str(refused.value)
    assert said.startswith(f"{name} cannot be used: ")
    assert said.endswith(".")
    assert "\n" not in said
    assert "canary" not in said


def test_trailing_slash_of_a_url_is_dropped() -> None:
    found = load(Settings, {"KENTONGAN_PUBLIC_URL": "https://warn.example.org/k/"})

    assert found.public_url == "https://warn.example.org/k"


def test_secrets_do_not_show() -> None:
    url = "redis://:canary@cache"
    found = load(
        Settings,
        {"KENTONGAN_SECRET_KEY": KEY, "KENTONGAN_REDIS_URL": url, "KENTONGAN_DATABASE_URL": url},
    )

    assert "canary" not in repr(found)


def test_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")

    complete = read_files({"KENTONGAN_SECRET_KEY_FILE": str(file), "HOME": "/"})

    assert complete == {"KENTONGAN_SECRET_KEY": KEY, "HOME": "/"}


def test_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SettingsError, match="KENTONGAN_SECRET_KEY_FILE names a file"):
        read_files({"KENTONGAN_SECRET_KEY_FILE": "/nowhere"})


def test_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    twice = {
        "KENTONGAN_SECRET_KEY": KEY,
        "KENTONGAN_SECRET_KEY_FILE": str(tmp_path / "key"),
    }

    with pytest.raises(SettingsError, match="both set") as refused:
        read_files(twice)

    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("KENTONGAN_REDIS_URI", "KENTONGAN_REDIS_URL"),
        ("KENTONGAN_DATABSE_URL", "KENTONGAN_DATABASE_URL"),
        ("KENTONGAN_PORT", "KENTONGAN_HTTP_PORT"),
    ],
)
def test_misspelt_name_is_refused_with_the_nearest_right_one(name: str, near: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is no setting.*{near}"):
        refuse_strangers([Settings], {name: "8080"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KENTONGAN_PORT", "tcp://10.0.0.1:8080"),
        ("KENTONGAN_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("KENTONGAN_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("KENTONGAN_SERVICE_HOST", "10.0.0.1"),
        ("KENTONGAN_SERVICE_PORT", "8080"),
        ("KENTONGAN_SERVICE_PORT_HTTP", "8080"),
        ("KENTONGAN_REDIS_SERVICE_HOST", "10.0.0.2"),
        ("KENTONGAN_REDIS_PORT", "tcp://10.0.0.2:6379"),
        ("KENTONGAN_TEST_MATERIAL", "/somewhere"),
        ("HOME", "/"),
    ],
)
def test_what_container_links_inject_and_tests_declare_is_passed_over(
    name: str, value: str
) -> None:
    refuse_strangers([Settings], {name: value})


def test_every_setting_is_known_by_its_name_and_described() -> None:
    names = names_of(Settings)

    refuse_strangers([Settings], dict.fromkeys(names, "x"))
    assert all(field.description for field in Settings.model_fields.values())
