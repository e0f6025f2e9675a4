@echo off
rem What: starts wakame-init-first-boot.ps1, which prepares a new instance and powers it off.
rem When: at the first boot of every instance made from the image, after OOBE.
rem Who:  Windows, as SYSTEM, under the name C:\Windows\Setup\Scripts\SetupComplete.cmd.
rem Log:  C:\Windows\Setup\Scripts\wakame-first-boot.log

setlocal
set SCRIPTS=%SystemRoot%\Setup\Scripts
set LOG=%SCRIPTS%\wakame-first-boot.log
set POWERSHELL=%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe

echo %DATE% %TIME% first boot begins >> "%LOG%"
"%POWERSHELL%" -NoProfile -NonInteractive -InputFormat None -ExecutionPolicy Bypass -File "%SCRIPTS%\wakame-init-first-boot.ps1" >> "%LOG%" 2>&1
echo %DATE% %TIME% PowerShell ended with %ERRORLEVEL% >> "%LOG%"
exit /b 0
