@echo off
rem What: copies the guest scripts from the floppy to C:\Windows\Setup\Scripts.
rem When: once, in the specialize pass of the installation.
rem Who:  Windows Setup (RunSynchronous of Autounattend.xml), as SYSTEM.
rem Log:  C:\Windows\Setup\Scripts\final-steps-for-install.log
rem Exit: 0 done; 3 something is missing. 1 and 2 would ask Setup for a restart.

setlocal
set SCRIPTS=%SystemRoot%\Setup\Scripts
set LOG=%SCRIPTS%\final-steps-for-install.log

if not exist "%SCRIPTS%" md "%SCRIPTS%"
if not exist "%SCRIPTS%" goto no_folder
echo %DATE% %TIME% copying the guest scripts from %~dp0 >> "%LOG%"

copy /y "%~dp0SetupComplete-install.cmd" "%SCRIPTS%\SetupComplete.cmd" >> "%LOG%" 2>&1
if errorlevel 1 goto failed
copy /y "%~dp0SetupComplete-install.cmd" "%SCRIPTS%\SetupComplete-install.cmd" >> "%LOG%" 2>&1
if errorlevel 1 goto failed
copy /y "%~dp0SetupComplete-firstboot.cmd" "%SCRIPTS%\SetupComplete-firstboot.cmd" >> "%LOG%" 2>&1
if errorlevel 1 goto failed
copy /y "%~dp0sysprep-for-backup.cmd" "%SCRIPTS%\sysprep-for-backup.cmd" >> "%LOG%" 2>&1
if errorlevel 1 goto failed
copy /y "%~dp0wakame-init-every-boot.cmd" "%SCRIPTS%\wakame-init-every-boot.cmd" >> "%LOG%" 2>&1
if errorlevel 1 goto failed
copy /y "%~dp0wakame-init-first-boot.ps1" "%SCRIPTS%\wakame-init-first-boot.ps1" >> "%LOG%" 2>&1
if errorlevel 1 goto failed
copy /y "%~dp0wakame-init-every-boot.ps1" "%SCRIPTS%\wakame-init-every-boot.ps1" >> "%LOG%" 2>&1
if errorlevel 1 goto failed
copy /y "%~dp0wakame-functions.ps1" "%SCRIPTS%\wakame-functions.ps1" >> "%LOG%" 2>&1
if errorlevel 1 goto failed
copy /y "%~dp0Unattend-for-first-boot.xml" "%SCRIPTS%\Unattend-for-first-boot.xml" >> "%LOG%" 2>&1
if errorlevel 1 goto failed

echo %DATE% %TIME% done >> "%LOG%"
exit /b 0

:no_folder
echo %SCRIPTS% cannot be made
exit /b 3

:failed
echo %DATE% %TIME% FAILED: the copy above did not succeed >> "%LOG%"
exit /b 3
