# What: makes a fresh copy of the image into an instance, after the meta-data on the volume
#       METADATA: addresses, name, firewall, remote desktop, a random password. Powers off.
# When: once, at the first boot of every instance.
# Who:  SetupComplete.cmd (its first-boot version), as SYSTEM.
# Log:  C:\Windows\Setup\Scripts\wakame-first-boot.log

$scripts = Split-Path -Parent $MyInvocation.MyCommand.Path
. (Join-Path $scripts 'wakame-functions.ps1')

function Set-ComputerName([string]$Folder) {
    $name = Get-MetaData $Folder 'local-hostname'
    $computer = Get-WmiObject Win32_ComputerSystem
    if (-not $name -or $computer.Name -eq $name) {
        Write-Log "the computer name stays $($computer.Name)"
        return
    }
    $result = $computer.Rename($name)
    Assert-WmiSuccess "renaming to $name" $result @(0)
    Write-Log "the computer name will be $name after the next start"
}

# Makes a rule anew, so that repeating it does not make a second one.
function Set-FirewallRule([string]$Name, [string]$Direction, [string]$Protocol, [string]$Port) {
    $rule = 'advfirewall', 'firewall'
    try {
        Invoke-Program 'netsh.exe' ($rule + @('delete', 'rule', "name=$Name"))
    }
    catch {
        Write-Log "no rule $Name so far"
    }
    $side = if ($Direction -eq 'in') { 'localport' } else { 'remoteport' }
    Invoke-Program 'netsh.exe' ($rule + @(
            'add', 'rule', "name=$Name", "dir=$Direction", 'action=allow',
            "protocol=$Protocol", "$side=$Port"))
}

function Set-Firewall([string]$Folder) {
    if (-not (Test-Path (Join-Path $Folder 'enable-firewall'))) {
        Invoke-Program 'netsh.exe' @('advfirewall', 'set', 'currentprofile', 'state', 'off')
        return
    }
    # By port: the built-in groups of rules have other names in each language of Windows.
    Set-FirewallRule 'wakame-zabbix-in' 'in' 'TCP' '10050-10051'
    Set-FirewallRule 'wakame-zabbix-out' 'out' 'TCP' '10050-10051'
    Set-FirewallRule 'wakame-rdp-tcp' 'in' 'TCP' '3389'
    Set-FirewallRule 'wakame-rdp-udp' 'in' 'UDP' '3389'
}

# Remote desktop on; without network level authentication, for clients of any age.
function Enable-RemoteDesktop {
    $key = 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server'
    Set-ItemProperty -Path $key -Name fDenyTSConnections -Value 0
    Set-ItemProperty -Path "$key\WinStations\RDP-Tcp" -Name UserAuthentication -Value 0
}

function Register-EveryBoot([string]$Command) {
    Invoke-Program 'schtasks.exe' @(
        '/create', '/tn', 'Wakame Init', '/sc', 'onstart', '/ru', 'System', '/tr', $Command, '/f')
}

Write-Log 'first boot'
$metaData = Invoke-Step 'meta-data' { Get-MetaDataFolder 60 }
if (-not $metaData) {
    Write-Log 'without meta-data there is nothing to do; Windows stays on'
    exit 1
}

Invoke-Step 'network' { Set-Network $metaData }
Invoke-Step 'boot policy' {
    Invoke-Program 'bcdedit.exe' @('/set', 'bootstatuspolicy', 'ignoreallfailures')
}
Invoke-Step 'computer name' { Set-ComputerName $metaData }
Invoke-Step 'firewall' { Set-Firewall $metaData }
Invoke-Step 'remote desktop' { Enable-RemoteDesktop }
Invoke-Step 'task for every boot' {
    Register-EveryBoot (Join-Path $scripts 'wakame-init-every-boot.cmd')
}
# Whoever made the image knows its password: it must not survive, even if the next step fails.
Invoke-Step 'end of the image''s password' {
    Set-AdministratorPassword ([Wakame.Password]::Generate(14))
}
Invoke-Step 'password' { Set-RandomPassword $metaData }
Invoke-Step 'hosts file' { Set-HostsFile $metaData }
Invoke-Step 'activation' { Invoke-Activation $metaData }

Stop-Windows
exit 0
