"""The parts that the rehearsal media are made of."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.errors import HostError, MediaError, UsageError
from winbuild.host import Completed, Host
from winbuild.media.iso import check_iso
from winbuild.media.virtio_drivers import find_drivers
from winbuild.rehearsal import build, cpio, elf, iso, loader, packages, runtime
from winbuild.rehearsal.guest import agent_installer, disk, install
from winbuild.rehearsal.guest import wim as guest_wim
from winbuild.rehearsal.kernel import ModuleFinder, module_dependencies
from winbuild.rehearsal.virtio import virtio_files
from winbuild.rehearsal.wim import label_named, make_install_wim, plant_tree
from winbuild.windows.versions import labels, version

LABELS = ("2008", "2012")


# ---- the kernel's archive


@given(
    st.lists(
        st.tuples(st.from_regex(r"[a-z]{1,40}", fullmatch=True), st.binary(max_size=300)),
        unique_by=lambda pair: pair[0],
        max_size=5,
    )
)
def test_an_archive_is_what_cpio_reads(files: list[tuple[str, bytes]]) -> None:
    archive = cpio.newc_archive(
        [
            cpio.directory("d"),
            *(cpio.file(f"d/{name}", content) for name, content in files),
            cpio.symlink("link", "d"),
        ]
    )
    listed = subprocess.run(["bsdtar", "-tvf", "-"], input=archive, capture_output=True)
    assert listed.returncode == 0 and not listed.stderr
    lines = [line.split() for line in listed.stdout.decode().splitlines()]
    sizes = {words[8]: int(words[4]) for words in lines if words[0].startswith("-")}
    assert sizes == {f"d/{name}": len(content) for name, content in files}
    assert lines[-1][-3:] == ["link", "->", "d"]


def test_modes_in_the_archive() -> None:
    assert cpio.file("x", b"", executable=True).mode == stat.S_IFREG | 0o755
    assert cpio.file("x", b"").mode == stat.S_IFREG | 0o644


# ---- kernel modules


def module(*needs: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0name=x\0"


def test_dependencies_of_a_module() -> None:
    assert module_dependencies(module("usb-core", "hid")) == ["usb_core", "hid"]
    assert module_dependencies(module()) == []


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    for name, needs in {"a-x": ["b", "c"], "b": ["c"], "c": [], "d": ["c"]}.items():
        (tmp_path / f"{name}.ko").write_bytes(module(*needs))
    (tmp_path / "modules.builtin").write_text("kernel/fs/ext9.ko\n")
    finder = ModuleFinder(Host(), tmp_path)
    assert finder.in_load_order(["a_x", "ext9"], must_exist=True) == ["c", "b", "a_x"]
    assert finder.in_load_order(["d", "gone"], must_exist=False) == ["d"], "c has been given"
    with pytest.raises(MediaError, match="no module 'gone'"):
        finder.in_load_order(["gone"], must_exist=True)


# ---- programs and libraries of the host


def test_a_section_full_of_zeros_leaves_the_rest_as_it_was() -> None:
    busybox = Path(Host().find("busybox")).read_bytes()
    blanked = elf.blank_section(busybox, ".rodata")
    differing = [i for i in range(len(busybox)) if busybox[i] != blanked[i]]
    assert len(blanked) == len(busybox) and len(differing) > 10000
    span = blanked[differing[0] : differing[-1] + 1]
    assert not any(span)
    with pytest.raises(ValueError, match="no section"):
        elf.blank_section(busybox, ".nothing")


def test_libraries_of_a_program_include_the_linker() -> None:
    found = packages.shared_libraries(Host(), [Path("/usr/bin/python3").resolve()])
    names = {path.name for path in found}
    assert "libc.so.6" in names and any(name.startswith("ld-linux") for name in names)
    assert packages.shared_libraries(Host(), [Path(Host().find("busybox"))]) == set()


def test_packages_that_are_missing_are_named() -> None:
    with pytest.raises(HostError, match="no-such-package-1") as caught:
        packages.installed_versions(Host(), ["dpkg", "no-such-package-1"])
    assert "apt-get install no-such-package-1" in str(caught.value.hint)


def test_every_package_that_is_needed_is_in_the_setup_script() -> None:
    table = tomllib.loads(runtime.TABLE.read_text())
    script = (Path(__file__).parents[3] / "tools/setup").read_text().split()
    of_python3 = "{python}"  # those come with the package python3
    wanted = [*table["packages"]["whole"], *table["packages"]["tools"], *table["programs"].values()]
    assert [name for name in wanted if of_python3 not in name and name not in script] == []


# ---- the cache


class FakeHost(Host):
    """Every package is there, in a version that the test chooses."""

    def __init__(self, package_version: str = "1") -> None:
        self.package_version = package_version

    def run(self, argv: object, **_: object) -> Completed:  # type: ignore[override]
        assert isinstance(argv, list) and argv[0] == "dpkg-query"
        lines = [f"{name} installed {self.package_version}\n" for name in argv[4:]]
        return Completed(0, "".join(lines).encode(), b"")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Directories that the cache had made; making one fails if the test says so."""
    made: list[Path] = []

    def fake_build(host: object, ui: object, table: object, dest: Path) -> None:
        made.append(dest)
        time.sleep(0.05)  # others come meanwhile
        (dest / "kernel").write_text("kernel")
        if len(made) == 1 and os.environ.get("FAIL"):
            raise KeyboardInterrupt

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(runtime, "_build", fake_build)
    return made


def test_a_runtime_is_made_once_for_each_state_of_the_packages(built: list[Path]) -> None:
    from winbuild.ui import QuietUi

    first = runtime.get_runtime(FakeHost(), QuietUi())
    assert runtime.get_runtime(FakeHost(), QuietUi()) == first and len(built) == 1
    assert first.kernel.read_text() == "kernel"
    other = runtime.get_runtime(FakeHost("2"), QuietUi())
    assert other.directory != first.directory and len(built) == 2


def test_a_killed_maker_leaves_no_runtime(
    built: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from winbuild.ui import QuietUi

    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(KeyboardInterrupt):
        runtime.get_runtime(FakeHost(), QuietUi())
    assert not list(runtime.cache_dir().glob("runtime-*/"))
    assert runtime.get_runtime(FakeHost(), QuietUi()).kernel.is_file()


def test_makers_at_the_same_time_make_it_once(built: list[Path]) -> None:
    from winbuild.ui import QuietUi

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(runtime.get_runtime, FakeHost(), QuietUi()) for _ in range(4)]
        found = {future.result().directory for future in futures}
    assert len(found) == len(built) == 1


def test_runtimes_that_nobody_uses_are_removed(built: list[Path]) -> None:
    from winbuild.ui import QuietUi

    old = runtime.get_runtime(FakeHost("old"), QuietUi()).directory
    recent = runtime.get_runtime(FakeHost("recent"), QuietUi()).directory
    os.utime(old, (1, 1))
    runtime.get_runtime(FakeHost("new"), QuietUi())
    assert recent.exists() and not old.exists()


# ---- ISO images


def test_an_iso_as_windows_has_it(tmp_path: Path) -> None:
    import pycdlib

    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * 5000)
    files: dict[str, iso.Content] = {
        "sources/install.wim": big,
        "Long Name with ü.txt": b"x",
        "a/B": b"",
    }
    boot = iso.BootFile("boot/etfsboot.com", b"\xeb\xfe" + bytes(4094))
    iso.write_iso(tmp_path / "i.iso", "IR5_SSS_X64FREV_EN-US_DV9", files, boot=boot)

    assert check_iso(tmp_path / "i.iso").volume_id == "IR5_SSS_X64FREV_EN-US_DV9"
    image = pycdlib.PyCdlib()
    image.open(str(tmp_path / "i.iso"))
    out = io.BytesIO()
    image.get_file_from_iso_fp(out, udf_path="/sources/install.wim")
    assert out.getvalue() == big.read_bytes()
    lba = image.get_record(iso_path="/BOOT/ETFSBOOT.COM;1").extent_location()
    entry = image.eltorito_boot_catalog.initial_entry
    assert (entry.load_rba, entry.sector_count, entry.boot_indicator) == (lba, 4, 0x88)
    image.close()
    start = (tmp_path / "i.iso").read_bytes()[lba * 2048 :][:24]
    table = [int.from_bytes(start[at : at + 4], "little") for at in (8, 12, 16)]
    assert table == [16, lba, len(boot.content)]


def test_names_that_differ_only_in_what_iso_9660_cannot_say(tmp_path: Path) -> None:
    files: dict[str, iso.Content] = {
        "w8.1/x": b"1",
        "w8_1/x": b"2",
        "w8-1/x": b"3",
        "a.b.c": b"4",
        "a_b.c": b"5",
    }
    iso.write_iso(tmp_path / "i.iso", "NAMES", files, layers=iso.LINUX_LAYERS)
    listed = subprocess.run(["bsdtar", "-tvf", tmp_path / "i.iso"], capture_output=True)
    lines = listed.stdout.decode().splitlines()
    found = [line.split()[-1] for line in lines if line.startswith("-")]
    assert sorted(found) == sorted(files)


# ---- install.wim


@pytest.mark.parametrize("label", LABELS)
def test_the_images_that_the_guest_finds(tmp_path: Path, label: str) -> None:
    facts = label_named(label)
    wim = make_install_wim(Host(), facts, "ja-JP", tmp_path)
    images = guest_wim.read_images(wim)
    assert [image.name for image in images] == [image.name for image in facts.images]
    assert all(image.size_bytes > 4 << 20 for image in images)
    default = version(label).default_image_name
    chosen = guest_wim.choose(images, "NAME", default.lower())
    assert chosen is not None and chosen.name == default
    assert (chosen.edition, chosen.installation_type) == ("ServerStandard", "Server")
    assert guest_wim.choose(images, "INDEX", str(chosen.index)) == chosen
    assert guest_wim.choose(images, "NAME", "Windows 3.1") is None

    told = subprocess.run(["wimlib-imagex", "info", wim, "--xml"], capture_output=True, check=True)
    image = ET.fromstring(told.stdout.decode("utf-16")).findall("IMAGE")[0]
    assert image.findtext("WINDOWS/LANGUAGES/DEFAULT") == "ja-JP"
    assert image.findtext("WINDOWS/VERSION/BUILD") == str(version(label).build)
    assert image.findtext("WINDOWS/ARCH") == "9"


def test_what_is_no_wim(tmp_path: Path) -> None:
    (tmp_path / "install.wim").write_bytes(bytes(1000))
    with pytest.raises(ValueError, match="not a WIM"):
        guest_wim.read_images(tmp_path / "install.wim")


def test_the_tree_is_older_than_the_installation_date_of_the_walk(tmp_path: Path) -> None:
    plant_tree(tmp_path, label_named("2012").files_date)
    newest = max(path.stat().st_mtime for path in tmp_path.rglob("*") if path.is_file())
    assert newest < 1396310400, "1 April 2014"
    assert (tmp_path / "Windows/System32/sysprep/sysprep.exe").is_file()


def test_the_images_agree_with_the_catalogue_of_versions() -> None:
    for label in LABELS:
        names = {image.name for image in label_named(label).images}
        facts, row = label_named(label), version(label)
        assert facts.version[2] == row.build and row.default_image_name in names


def test_a_label_without_stand_in() -> None:
    missing = next(label for label in [*labels(), "95"] if label not in LABELS)
    with pytest.raises(UsageError, match="no rehearsal media") as caught:
        label_named(missing)
    assert "2012" in str(caught.value.hint)


# ---- the virtio ISO, the agent, the guest's archive


@pytest.mark.parametrize("label", LABELS)
def test_winbuild_finds_its_drivers_in_the_virtio_stand_in(tmp_path: Path, label: str) -> None:
    volume_id, files = virtio_files()
    iso.write_iso(tmp_path / "v.iso", volume_id, files, layers=iso.LINUX_LAYERS)
    found = find_drivers(tmp_path / "v.iso", version(label), "amd64")
    assert found.layout == "current" and found.volume_id.startswith("virtio-win-0.1.")
    for folder in version(label).virtio_legacy_folders:
        assert f"{folder}/viostor.inf".replace("\\", "/") in files


def test_the_guest_takes_the_stand_in_for_the_agents_installer(tmp_path: Path) -> None:
    (tmp_path / "installer.exe").write_bytes(build.agent_installer())
    assert agent_installer.is_installer(tmp_path / "installer.exe")
    assert len(build.agent_installer()) < 400 << 10, "it has to fit on the floppy"


def test_the_guests_archive_holds_its_program_with_byte_code(tmp_path: Path) -> None:
    archive = build.guest_archive(Host(), {"label": "2012"}, tmp_path / "work")
    listed = subprocess.run(["bsdtar", "-tf", "-"], input=archive, capture_output=True)
    names = set(listed.stdout.decode().splitlines())
    for name in ("setup", "installed", "main"):
        assert f"guest/winbuild/rehearsal/guest/{name}.py" in names
    package = "guest/winbuild/rehearsal/guest"
    python = packages.system_python_version().replace(".", "")
    assert f"{package}/__pycache__/main.cpython-{python}.pyc" in names
    assert {"guest/media.json", f"{package}/texts.toml", f"{package}/unattend.toml"} <= names


def test_a_language_that_the_guest_does_not_speak(tmp_path: Path) -> None:
    from winbuild.ui import QuietUi

    with pytest.raises(UsageError, match="does not speak 'xx-XX'"):
        build.make_rehearsal_media(tmp_path / "m", FakeHost(), QuietUi(), language="xx-XX")
    assert not (tmp_path / "m").exists()


# ---- boot code


def test_builder_and_guest_agree_on_names() -> None:
    assert loader.BOOT_FILES == install.BOOT_FILES
    assert f"/{install.BOOT_FOLDER}" == loader.DISK_FOLDER
    assert loader.MBR_CODE_BYTES == disk.MBR_CODE_BYTES
    assert agent_installer.MAGIC == build.INSTALLER_MARK


@pytest.mark.parametrize("config", [loader.cd_config, loader.disk_config])
def test_the_boot_configuration(config: Callable[[], str]) -> None:
    lines = config().splitlines()
    assert any(line.startswith("linux ") and "rehearsal.boot=" in line for line in lines)
    assert "boot" in lines


def test_boot_code_fits_before_the_first_partition(tmp_path: Path) -> None:
    mbr, core = loader.build_disk_boot(Host(), tmp_path)
    assert len(mbr) == 440 and len(core) <= disk.ALIGNMENT - disk.SECTOR
    boot_file = loader.build_cd_boot(Host(), runtime.HERE / "cdboot.asm", tmp_path)
    assert len(boot_file) > 2048 and boot_file[8:64] == bytes(56), "room for the boot info table"
