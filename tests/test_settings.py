import pytest

from replyline.settings import BadSetting, read_settings

ACCOUNT = "AC" + "0" * 32


def read(dotenv=None, **environ):
    return read_settings(environ, dotenv)


def test_the_environment_wins_over_dotenv(tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text("REPLYLINE_MODEL=from-dotenv\nREPLYLINE_AT_ONCE=7\n")
    settings = read(dotenv, REPLYLINE_MODEL="from-environment")
    assert (settings.model, settings.at_once) == ("from-environment", 7)


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    assert read(TWILIO_AUTH_TOKEN_FILE=str(tmp_path / "token")).auth_tokens == ("s3cret",)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(BadSetting, match="TWILIO_AUTH_TOKEN_FILE names /nowhere"):
        read(TWILIO_AUTH_TOKEN_FILE="/nowhere")


def test_several_tokens_count_while_one_is_rotated():
    assert read(TWILIO_AUTH_TOKEN="new, old,").auth_tokens == ("new", "old")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWILIO_ACCOUNT_SID", "XX1"),
        ("REPLYLINE_PUBLIC_URL", "ftp-xyz"),
        ("REPLYLINE_AT_ONCE", "plenty"),
        ("REPLYLINE_LOG_LEVEL", "loud"),
    ],
)
def test_a_malformed_setting_is_one_sentence_that_names_it_and_not_its_value(name, value):
    with pytest.raises(BadSetting, match=f"^{name} is not usable") as caught:
        read(**{name: value})
    assert value not in str(caught.value)


def test_a_missing_setting_is_named_with_what_it_is_for():
    with pytest.raises(BadSetting, match=r"TWILIO_AUTH_TOKEN is not set\. Checks Twilio's signatures"):
        read(TWILIO_ACCOUNT_SID=ACCOUNT).need("twilio_account_sid", "twilio_auth_token")


def test_secrets_do_not_show_when_settings_are_printed():
    settings = read(TWILIO_AUTH_TOKEN="s3cret", OPENAI_API_KEY="sk-1")
    assert "s3cret" not in repr(settings)
    assert "sk-1" not in repr(settings)


def test_a_public_url_may_end_in_a_slash():
    assert read(REPLYLINE_PUBLIC_URL="https://sms.example.com/").public_url == "https://sms.example.com"
