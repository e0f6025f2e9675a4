@echo off
rem What: generalizes Windows and powers it off, so that the disk can serve as an image.
rem       The next boot is a first boot again.
rem When: whenever an image is to be made of an instance.
rem Who:  an administrator, by hand.
rem Log:  C:\Windows\Setup\Scripts\sysprep-for-backup.log

setlocal
set SCRIPTS=%SystemRoot%\Setup\Scripts
set LOG=%SCRIPTS%\sysprep-for-backup.log

if not exist "%SCRIPTS%\Unattend-for-first-boot.xml" goto no_unattend

echo %DATE% %TIME% preparing the next first boot >> "%LOG%"
copy /y "%SCRIPTS%\SetupComplete-firstboot.cmd" "%SCRIPTS%\SetupComplete.cmd" >> "%LOG%" 2>&1
if errorlevel 1 goto failed

rem Windows would prefer answer files that an earlier run left here.
if exist "%SystemRoot%\System32\Sysprep\unattend.xml" del /q "%SystemRoot%\System32\Sysprep\unattend.xml" >> "%LOG%" 2>&1
if exist "%SystemRoot%\Panther\unattend.xml" del /q "%SystemRoot%\Panther\unattend.xml" >> "%LOG%" 2>&1

%SystemRoot%\System32\Sysprep\sysprep.exe /oobe /generalize /shutdown /unattend:c:\Windows\Setup\Scripts\Unattend-for-first-boot.xml
if errorlevel 1 goto failed
echo %DATE% %TIME% sysprep is done >> "%LOG%"
exit /b 0

:no_unattend
echo FAILED: %SCRIPTS%\Unattend-for-first-boot.xml is missing
echo %DATE% %TIME% FAILED: Unattend-for-first-boot.xml is missing >> "%LOG%"
exit /b 1

:failed
echo FAILED: see %LOG% and %SystemRoot%\System32\Sysprep\Panther\setuperr.log
echo %DATE% %TIME% FAILED >> "%LOG%"
exit /b 1
