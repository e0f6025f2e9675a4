@echo off
rem What: ends the installation. Keeps the display on, so that the screen can be watched.
rem When: once, after the installation's last pass, before the first log-on.
rem Who:  Windows, as SYSTEM, under the name C:\Windows\Setup\Scripts\SetupComplete.cmd.
rem Log:  C:\Windows\Setup\Scripts\setup-complete.log

setlocal
set LOG=%SystemRoot%\Setup\Scripts\setup-complete.log
echo %DATE% %TIME% the installation is complete >> "%LOG%"

if not exist "%SystemRoot%\System32\powercfg.exe" goto done
"%SystemRoot%\System32\powercfg.exe" -change -monitor-timeout-ac 0 >> "%LOG%" 2>&1

:done
exit /b 0
