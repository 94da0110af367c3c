"""The command line, as a process."""

import json
import signal
import socket
import stat
import subprocess
import sys
from functools import partial
from inspect import signature

import pytest
import trio

from tigercore_simulator import UNLIMITED, Answer, Consent, Terms, open_simulator
from tigercore_simulator.__main__ import options, parser


def command(*arguments):
    return [sys.executable, "-m", "tigercore_simulator", *map(str, arguments)]


async def finished(*arguments):
    return await trio.run_process(command(*arguments), capture_stdout=True, capture_stderr=True, check=False)


class Running:
    def __init__(self, process):
        self.process = process
        self.ready = {}

    async def read(self):
        got = b""
        while not got.endswith(b"\n"):
            got += await self.process.stdout.receive_some(65536)
        self.ready = json.loads(got)


async def serve(arguments, task_status):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    await trio.run_process(arguments, check=False, task_status=task_status, **pipes)


@pytest.fixture
async def running(tmp_path):
    async with trio.open_nursery() as nursery:
        start = command("--port", 0, "--developers", 2, "--out", tmp_path, "--seed", 3, "--account-kind", "both")
        process = await nursery.start(serve, start)
        running = Running(process)
        await running.read()
        yield running
        nursery.cancel_scope.cancel()


async def test_the_ready_line_names_the_developers(running):
    assert [each["license"] for each in running.ready["developers"]] == ["TBSG", "TBHK"]


async def test_the_ready_line_names_the_addresses(running):
    assert running.ready["url"].removesuffix("/gateway") == running.ready["admin"].removesuffix("/admin")


async def test_the_ready_line_names_the_issuer(running):
    assert running.ready["url"].removesuffix("/gateway") + "/oauth2" == running.ready["issuer"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_it_cleanly(running, number):
    running.process.send_signal(number)
    assert (await running.process.wait(), await running.process.stderr.receive_some()) == (0, b"")


async def test_it_ends_with_the_standard_input_if_asked_to(tmp_path):
    async with trio.open_nursery() as nursery:
        start = command("--out", tmp_path, "--until-stdin-closes")
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = await nursery.start(partial(trio.run_process, start, check=False, **pipes))
        await Running(process).read()
        await process.stdin.aclose()
        with trio.fail_after(10):
            assert 0 == await process.wait()


async def test_the_files_are_private(running, tmp_path):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*.properties")}
    assert {0o600} == modes


async def test_the_config_file_has_the_form_of_the_portal(running, tmp_path):
    first = running.ready["developers"][0]
    text = (tmp_path / first["tiger_id"] / "tiger_openapi_config.properties").read_text()
    names = [line.partition("=")[0] for line in text.splitlines()]
    expected = ["private_key_pk1", "private_key_pk8", "tiger_id", "account", "license", "env", "server_url"]
    assert expected == names


@pytest.mark.parametrize(("suffix", "index"), [("", 1), ("-prime", 0)])
async def test_each_kind_of_account_has_its_directory(running, tmp_path, suffix, index):
    first = running.ready["developers"][0]
    text = (tmp_path / (first["tiger_id"] + suffix) / "tiger_openapi_config.properties").read_text()
    assert f"\naccount={first['accounts'][index]}\n" in text


async def test_the_token_file_escapes_its_equal_signs(running, tmp_path):
    second = running.ready["developers"][1]
    text = (tmp_path / second["tiger_id"] / "tiger_openapi_token.properties").read_text()
    assert text.rstrip().endswith("\\=\\=")


async def test_only_a_developer_with_a_token_has_a_token_file(running, tmp_path):
    assert len(list(tmp_path.rglob("tiger_openapi_token.properties"))) == 2


TOLD = {
    "token_lifetime": 60.0,
    "token_grace": 5.0,
    "token_lenient": True,
    "clock_offset": -3600.0,
    "terms": Terms(access_life=30.0, refresh_grace=3.0, consent=Consent(answer=Answer.ASK)),
    "limits": UNLIMITED,
}


def test_every_option_reaches_the_simulator(tmp_path):
    flags = ["--token-life=60", "--token-grace=5", "--token-lenient", "--clock-offset=-3600", "--unlimited"]
    flags += ["--access-life=30", "--refresh-grace=3", "--consent=ask"]
    found = options(parser().parse_args([*flags, f"--out={tmp_path}"]))
    assert TOLD == {name: found[name] for name in TOLD}


def test_without_options_the_simulator_is_as_in_tests(tmp_path):
    usual = {name: each.default for name, each in signature(open_simulator).parameters.items()}
    found = options(parser().parse_args([f"--out={tmp_path}"]))
    assert found == {name: usual[name] for name in found}


async def test_a_port_in_use_is_explained_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = await finished("--port", port, "--out", tmp_path)
    assert (done.returncode, done.stderr.count(b"\n"), b"give --port another port" in done.stderr) == (2, 1, True)


async def test_a_directory_that_cannot_be_written_is_explained_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = await finished("--out", tmp_path / "file")
    assert (done.returncode, done.stderr.count(b"\n"), b"give --out a directory" in done.stderr) == (2, 1, True)


@pytest.mark.parametrize(
    "wrong",
    [
        *(["--port", "x"], ["--port", "70000"], ["--developers", "0"], ["--account-kind", "x"]),
        *(["--token-life", "-1"], ["--token-grace", "x"], ["--clock-offset", "nan"], ["--consent", "perhaps"]),
    ],
)
async def test_a_wrong_option_is_explained_in_one_line(tmp_path, wrong):
    done = await finished("--out", tmp_path, *wrong)
    assert (done.returncode, done.stderr.count(b"\n"), done.stdout) == (2, 1, b"")
