"""make users, install and check-install with real accounts."""

import os
import stat

from conftest import NAMES, REPO, ROLES, make, sh


def test_no_file_has_a_setuid_or_setgid_bit(installation):
    found = sh("find", installation.prefix, "(", "-perm", "-4000", "-o", "-perm",
               "-2000", ")").stdout
    assert found == ""


def test_an_installation_is_as_the_table_says(installation):
    assert "is as etc/privileges says" in installation.make("check-install").stdout


def test_check_install_names_each_difference(installation):
    changes = {
        "bin/qmail-smtpd": lambda p: p.chmod(0o4755),
        "bin/sendmail": lambda p: os.chown(p, 1, 0),
        "control": lambda p: p.chmod(0o777),
    }
    for name, change in changes.items():
        path = installation.home / name
        before = path.stat()
        change(path)
        try:
            done = installation.make("check-install", check=False)
        finally:
            os.chown(path, before.st_uid, before.st_gid)
            path.chmod(stat.S_IMODE(before.st_mode))
        assert done.returncode != 0, name
        assert str(path) + ":" in done.stdout, done.stdout
    installation.make("check-install")


def test_links_are_installed_and_checked(installation):
    mailq = installation.home / "bin/mailq"
    assert os.readlink(mailq) == "sendmail"
    assert os.readlink(installation.home / "bin/newaliases") == "sendmail"
    mailq.unlink()
    done = installation.make("check-install", check=False)
    assert done.returncode != 0 and f"{mailq}: missing" in done.stdout
    mailq.symlink_to("qmail-inject")
    done = installation.make("check-install", check=False)
    assert f"{mailq}: does not point to sendmail" in done.stdout
    installation.make("install")
    installation.make("check-install")


def test_make_users_leaves_existing_accounts_alone(installation):
    before = sh("getent", "passwd", NAMES["alias"]).stdout
    done = make("users")
    for role in ROLES:
        if role != "root":
            assert f" {NAMES[role]} exists" in done.stdout
    assert "created" not in done.stdout
    assert sh("getent", "passwd", NAMES["alias"]).stdout == before


def test_installing_again_keeps_what_is_not_ours(installation):
    """Over an old qmail: modes are mended, other files stay."""
    extra = installation.home / "bin/addon"
    extra.write_text("an add-on\n")
    alias = installation.home / "alias"
    alias.chmod(0o2755)
    (alias / ".qmail-extra").write_text("&joe\n")
    smtpd = installation.home / "bin/qmail-smtpd"
    smtpd.chmod(0o4711)
    installation.make("install")
    assert extra.read_text() == "an add-on\n"
    assert (alias / ".qmail-extra").read_text() == "&joe\n"
    assert stat.S_IMODE(alias.stat().st_mode) == 0o755
    assert stat.S_IMODE(smtpd.stat().st_mode) == 0o755
    extra.unlink()
    (alias / ".qmail-extra").unlink()
    installation.make("check-install")


def test_install_names_an_account_that_is_missing(installation, tmp_path):
    names = (installation.home / "names")
    names.write_text("cqtnosuch\n" + "\n".join(list(NAMES.values())[1:]) + "\n")
    done = sh("sh", "tools/install", "build/root/bin", check=False,
              env={**os.environ, "CONF_USERS": str(names), "DESTDIR": str(tmp_path)})
    names.unlink()
    assert done.returncode != 0
    assert "cqtnosuch does not exist" in done.stdout
    assert not list(tmp_path.iterdir()), "nothing may be changed before"


def test_qmail_conf_system_again_changes_nothing(installation):
    me = installation.home / "control/me"
    me.write_text("other.example\n")
    done = sh(installation.bin / "qmail-conf", "system", "--host", "x.example",
              env={**os.environ, "QMAILHOME": str(installation.home)})
    assert "made" not in done.stdout
    assert me.read_text() == "other.example\n"
    me.write_text("root.example\n")


def test_an_instance_is_not_made_by_root(installation, tmp_path):
    done = sh(installation.bin / "qmail-conf", "instance", tmp_path / "i", "--host",
              "x.example", "--smtp-port", "1", "--pop3-port", "2", check=False)
    assert done.returncode == 100
    assert not (tmp_path / "i").exists()


def test_services_never_name_the_build_directory(installation, tmp_path):
    # root runs what they name, and the sources may be anybody's
    (tmp_path / "control").mkdir()
    sh(REPO / "build/root/bin/qmail-conf", "system", "--host", "x.example",
       env={"QMAILHOME": str(tmp_path)})
    runs = sorted(tmp_path.glob("service/*/run"))
    assert len(runs) == 7
    for run in runs:
        assert f"PATH='{tmp_path}/bin':" in run.read_text()
        assert "build/root" not in run.read_text()
