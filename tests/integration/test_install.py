"""What is printed of a program's table for `make install`: the manual page, the completion; and systemd's units.
SPDX-License-Identifier: MIT"""
import os
import re
import shutil
import subprocess

import pytest

import harness
from harness import BUILD, ROOT
from test_config import PROGRAMS, run

KINDS = ["ec2", "cloudwatch", "cml", "prometheus"]
PAGES = [*PROGRAMS, "collector-prometheus"]
UNITS = ["cmlwatch-aggregator.service", "cmlwatch-gateway.service", "cmlwatch.target",
         *(f"cmlwatch-collector-{kind}@9101.service" for kind in KINDS)]


def needs(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not here")


def flags(name):
    return re.findall(r"^  (--[a-z0-9-]+)", run(name, "--help").stdout, re.M)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_has_each_flag_and_no_fault(name, tmp_path):
    needs("mandoc")
    path = tmp_path / f"cmlwatch-{name}.8"
    path.write_text(run(name, "--man").stdout)

    lint = subprocess.run(["mandoc", "-Tlint", path], capture_output=True, text=True)
    text = subprocess.run(["mandoc", "-Tascii", "-Owidth=300", path], capture_output=True, text=True).stdout
    text = re.sub(r".\x08", "", text)

    assert not lint.stdout and lint.returncode == 0, lint.stdout
    for flag in flags(name):
        assert re.search(rf"^ +{flag}\b", text, re.M), flag
        assert f"CMLWATCH_{name}_{flag[2:]}".upper().replace("-", "_") in text
    assert f"cmlwatch-{name} - " in text and "EXIT STATUS" in text


def complete(name, word, before, tmp_path):
    path = tmp_path / "completion"
    path.write_text(run(name, "--completion").stdout)
    script = f'source "$0"; _cmlwatch_{name} cmlwatch-{name} "$1" "$2"; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script, path, word, before], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def terminal(*arguments):
    return subprocess.run([BUILD / "cmlwatch", *arguments], capture_output=True, text=True, timeout=harness.PATIENCE).stdout


def commands():
    """name → what its help says, of each that `cmlwatch --help` lists."""
    found = re.findall(r"^  (\w+)  ", terminal("--help"), re.M)
    assert len(found) >= 8
    return {name: terminal(name, "--help") for name in found}


def test_the_page_of_the_terminals_program_has_each_command_and_its_flags(tmp_path):
    needs("mandoc")
    path = tmp_path / "cmlwatch.1"
    path.write_text(terminal("--man"))

    lint = subprocess.run(["mandoc", "-Tlint", path], capture_output=True, text=True)
    text = subprocess.run(["mandoc", "-Tascii", "-Owidth=300", path], capture_output=True, text=True).stdout
    text = re.sub(r".\x08", "", text)

    assert not lint.stdout and lint.returncode == 0, lint.stdout
    common, *sections = re.split(r"^   (\w+)$", text, flags=re.M)
    sections = dict(zip(sections[::2], sections[1::2]))
    assert set(sections) == set(commands())
    for name, said in commands().items():
        assert said.split(" - ", 1)[1].split("\n")[0] in sections[name]
        for flag in re.findall(r"^  (--[a-z0-9-]+)", said, re.M):
            assert re.search(rf"^ +{flag}\b", common + sections[name], re.M), (name, flag)
    assert "--url" in common and "--role" in sections["keygen"] and "--url" not in sections["keygen"]


def complete_command(tmp_path, *words):
    """As bash asks for what may follow the last of words but one, as far as the last is typed."""
    path = tmp_path / "completion"
    path.write_text(terminal("--completion"))
    script = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cmlwatch cmlwatch "${@: -1}" "${@: -2:1}"; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, path, "cmlwatch", *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def test_completion_of_the_terminals_program_offers_commands_then_their_flags(tmp_path):
    (tmp_path / "some.token").touch()

    assert set(complete_command(tmp_path, "")) == {*commands(), "--help", "--version"}
    assert complete_command(tmp_path, "ta") == ["tail"]
    for name, said in commands().items():
        assert set(complete_command(tmp_path, name, "--")) == {*re.findall(r"^  (--[a-z0-9-]+)", said, re.M), "--help", "--config"}
    assert complete_command(tmp_path, "workers", "--sort", "st") == ["status"]
    assert complete_command(tmp_path, "keygen", "--role", "g") == ["gateway"]
    assert complete_command(tmp_path, "tail", "--token-file", "some") == ["some.token"]
    assert complete_command(tmp_path, "tail", "--json", "--qu") == ["--quiet"]
    assert "yes" not in complete_command(tmp_path, "tail", "--json", "")


@pytest.mark.parametrize("name", PAGES)
def test_completion_offers_each_flag(name, tmp_path):
    offered = complete(name, "--", f"cmlwatch-{name}", tmp_path)

    assert set(offered) == {*flags(name), "--help", "--version", "--check-config", "--config"}


def test_completion_offers_what_may_follow_a_flag(tmp_path):
    (tmp_path / "some.conf").touch()

    assert complete("gateway", "", "--auth", tmp_path) == ["none", "token", "jwt"]
    assert complete("gateway", "y", "--access-log", tmp_path) == ["yes"]
    assert complete("gateway", "some", "--config", tmp_path) == ["some.conf"]
    assert complete("gateway", "--acc", "--access-log", tmp_path) == ["--access-log"]


def install(root):
    """make install of the very programs that are tested."""
    if BUILD.parent != ROOT / "build":
        pytest.skip("the programs are not where make builds them")
    compiler, *sanitizers = BUILD.name.split("-")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-s", f"CC={compiler}", f"SANITIZE={','.join(sanitizers)}", "install", "PREFIX=/usr", f"DESTDIR={root}"],
                          cwd=ROOT, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What is installed, with stubs of the targets that any system has."""
    root = tmp_path_factory.mktemp("root")
    install(root)
    units = root / "usr/lib/systemd/system"
    for target in ("network-online", "basic", "sysinit", "multi-user", "shutdown"):
        (units / f"{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    (root / "bin").symlink_to("usr/bin")
    shutil.copy("/bin/kill", root / "usr/bin/kill")
    return root


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_has_no_fault(installed, unit):
    needs("systemd-analyze")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={installed}", unit], capture_output=True, text=True)

    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service")])
def test_a_service_exposes_little(installed, unit):
    needs("systemd-analyze")
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", f"--root={installed}", unit],
                          capture_output=True, text=True)

    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_what_is_installed_is_found(installed):
    for name in PAGES:
        if name == "sim":
            assert not (installed / "usr/bin/cmlwatch-sim").exists()
            continue
        program = installed / "usr/bin" / f"cmlwatch-{name}"
        assert program.stat().st_mode & 0o777 == 0o755
        assert (installed / "usr/share/man/man8" / f"{program.name}.8").read_text().startswith(".TH")
        assert program.name in (installed / "usr/share/bash-completion/completions" / program.name).read_text()
    assert (installed / "usr/share/man/man1/cmlwatch.1").read_text().startswith(".TH CMLWATCH 1 ")
    assert "complete -F _cmlwatch cmlwatch" in (installed / "usr/share/bash-completion/completions/cmlwatch").read_text()
    assert (installed / "etc/cmlwatch/secrets").stat().st_mode & 0o777 == 0o700
    assert (installed / "usr/share/doc/cmlwatch/LICENSE").exists()


def test_a_configuration_that_is_there_stays(installed):
    path = installed / "etc/cmlwatch/cmlwatch.conf"
    assert path.read_text() == (ROOT / "deploy/cmlwatch.conf").read_text()
    path.write_text("# mine\n")

    install(installed)

    assert path.read_text() == "# mine\n"


def test_a_secret_comes_from_systemds_credentials(tmp_path):
    (tmp_path / "collector-cml_password").write_text("from-systemd\n")
    arguments = ("collector-cml", "--check-config", "--username", "u", "--verify", "off")

    assert run(*arguments).returncode == 2
    assert run(*arguments, CREDENTIALS_DIRECTORY=str(tmp_path)).returncode == 0
    (tmp_path / "collector-cml_password").write_text("two\nlines\n")
    told = run(*arguments, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert told.returncode == 2 and "more than one line" in told.stderr and "collector-cml_password" in told.stderr
