"""run-sysprep.cmd: the script on the floppy that ends the installation with sysprep.

Its path without the suffix, `a:run-sysprep`, is the Administrator's first password too, so
that the same text opens the session and starts the script.
"""

from __future__ import annotations

from string import Template

from winbuild.errors import MediaError

SCRIPT_NAME = "run-sysprep.cmd"

RUN_SYSPREP = "a:run-sysprep"
"""The command to type in the guest, and the Administrator's password until sysprep."""

_HEAD = r"""
@echo off
rem What: installs the monitoring agent, ${purpose}generalizes Windows and powers it off.
rem When: once, after the first log-on to the new installation.
rem Who:  the Administrator, by typing a:run-sysprep.
rem Log:  C:\Windows\Setup\Scripts\run-sysprep.log

setlocal
set SCRIPTS=%SystemRoot%\Setup\Scripts
set LOG=%SCRIPTS%\run-sysprep.log

if not exist "%SCRIPTS%\Unattend-for-first-boot.xml" goto no_scripts

echo %DATE% %TIME% installing the agent >> "%LOG%"
start "" /wait "%~dp0${installer}"
if errorlevel 1 goto no_agent
"""

_PRODUCT_KEY = r"""
echo %DATE% %TIME% installing the product key >> "%LOG%"
cscript.exe //b //nologo "%SystemRoot%\System32\slmgr.vbs" /ipk ${key}
if errorlevel 1 goto no_key
"""

_SYSPREP = r"""
echo %DATE% %TIME% preparing the first boot >> "%LOG%"
copy /y "%SCRIPTS%\SetupComplete-firstboot.cmd" "%SCRIPTS%\SetupComplete.cmd" >> "%LOG%" 2>&1
if errorlevel 1 goto no_scripts

rem Windows would prefer answer files that the installation left here.
set LEFT=%SystemRoot%\System32\Sysprep\unattend.xml
if exist "%LEFT%" del /q "%LEFT%" >> "%LOG%" 2>&1
set LEFT=%SystemRoot%\Panther\unattend.xml
if exist "%LEFT%" del /q "%LEFT%" >> "%LOG%" 2>&1

set UNATTEND=c:\Windows\Setup\Scripts\Unattend-for-first-boot.xml
%SystemRoot%\System32\Sysprep\sysprep.exe /oobe /generalize /shutdown /unattend:%UNATTEND%
if errorlevel 1 goto no_sysprep
echo %DATE% %TIME% sysprep is done >> "%LOG%"
exit /b 0

:no_scripts
echo FAILED: the guest scripts are not in %SCRIPTS%
exit /b 1

:no_agent
echo FAILED: the agent's installer ended with an error
echo %DATE% %TIME% FAILED: the agent's installer ended with an error >> "%LOG%"
exit /b 1
"""

_KEY_REFUSED = r"""
:no_key
echo FAILED: Windows refused the product key
echo %DATE% %TIME% FAILED: Windows refused the product key >> "%LOG%"
exit /b 1
"""

_SYSPREP_FAILED = r"""
:no_sysprep
echo FAILED: sysprep; see %SystemRoot%\System32\Sysprep\Panther\setuperr.log
echo %DATE% %TIME% FAILED: sysprep >> "%LOG%"
exit /b 1
"""


def run_sysprep_cmd(key: str | None, agent_installer_name: str) -> bytes:
    """The text of run-sysprep.cmd: ASCII, CRLF.

    `key` is a product key as `check_product_key` gives it (None: Windows keeps the one it
    has); `agent_installer_name` is the installer's file name on the floppy. With a key the
    result is secret: files of it get mode 0600. Raises MediaError for a file name that a
    command script cannot hold.
    """
    values = {
        "purpose": "installs the product key, " if key else "",
        "installer": _in_quotes(agent_installer_name),
        "key": key or "",
    }
    parts = [_HEAD, _PRODUCT_KEY, _SYSPREP, _KEY_REFUSED, _SYSPREP_FAILED]
    if not key:
        parts = [part for part in parts if part not in (_PRODUCT_KEY, _KEY_REFUSED)]
    text = Template("".join(parts).lstrip("\n")).substitute(values)
    return text.replace("\n", "\r\n").encode("ascii")


def _in_quotes(file_name: str) -> str:
    """The name as it is written between double quotes in a command script."""
    bad = sorted({ch for ch in file_name if not " " <= ch <= "~" or ch in '"\\/:*?<>|'})
    if bad or not file_name:
        raise MediaError(
            f"the agent installer's file name {file_name!r} cannot be used in a Windows script",
            hint="rename the file: ASCII letters, digits, dots and hyphens are safe",
        )
    return file_name.replace("%", "%%")
