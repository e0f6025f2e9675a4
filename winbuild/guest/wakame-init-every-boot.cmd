@echo off
rem What: starts wakame-init-every-boot.ps1, which applies the instance's meta-data again.
rem When: at every start of Windows after the first boot.
rem Who:  the scheduled task "Wakame Init", as SYSTEM.
rem Log:  C:\Windows\Setup\Scripts\wakame-every-boot.log

setlocal
set SCRIPTS=%SystemRoot%\Setup\Scripts
set LOG=%SCRIPTS%\wakame-every-boot.log
set POWERSHELL=%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe

echo %DATE% %TIME% boot >> "%LOG%"
"%POWERSHELL%" -NoProfile -NonInteractive -InputFormat None -ExecutionPolicy Bypass -File "%SCRIPTS%\wakame-init-every-boot.ps1" >> "%LOG%" 2>&1
echo %DATE% %TIME% PowerShell ended with %ERRORLEVEL% >> "%LOG%"
exit /b 0
