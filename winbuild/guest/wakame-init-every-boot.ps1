# What: applies the meta-data on the volume METADATA to this instance again, since it may
#       have changed, and takes the volume away. If the meta-data has a file first-boot, a
#       new password is made and Windows powers off.
# When: at every start of Windows after the first boot.
# Who:  wakame-init-every-boot.cmd, which the scheduled task "Wakame Init" runs as SYSTEM.
# Log:  C:\Windows\Setup\Scripts\wakame-every-boot.log

$scripts = Split-Path -Parent $MyInvocation.MyCommand.Path
. (Join-Path $scripts 'wakame-functions.ps1')

function Set-MonitoringAgent([string]$Folder) {
    $config = Join-Path $env:ProgramFiles 'ZABBIX Agent\zabbix_agentd.conf'
    if (-not (Test-Path $config)) {
        Write-Log "there is no $config"
        return
    }
    $agents = @(Get-WmiObject Win32_Service | Where-Object { $_.PathName -like '*zabbix_agentd*' })
    foreach ($agent in $agents) {
        Stop-Service $agent.Name -Force
    }
    $encoding = [Text.Encoding]::Default
    $lines = [IO.File]::ReadAllLines($config, $encoding)
    $options = @{
        'Hostname' = Get-MetaData $Folder 'instance-id'
        'ListenIP' = Get-MetaData $Folder 'local-ipv4'
        'Server' = (Get-Words (Get-MetaData $Folder 'x-monitoring\zabbix-servers')) -join ','
    }
    foreach ($name in @($options.Keys)) {
        if ($options[$name]) {
            $lines = [Wakame.ConfigText]::WithOption($lines, $name, $options[$name])
        }
    }
    [IO.File]::WriteAllLines($config, $lines, $encoding)
    foreach ($agent in $agents) {
        Start-Service $agent.Name
    }
}

# Takes the meta-data away from the instance's users until the next boot.
function Disable-MetaDataDisk([string]$Folder) {
    Invoke-DiskPart @("select volume $($Folder.Substring(0, 1))", 'offline disk')
}

Write-Log 'boot'
$metaData = Invoke-Step 'meta-data' { Get-MetaDataFolder 60 }
if (-not $metaData) {
    Write-Log 'without meta-data there is nothing to do'
    exit 1
}

Invoke-Step 'network' { Set-Network $metaData }
Invoke-Step 'hosts file' { Set-HostsFile $metaData }
Invoke-Step 'activation' { Invoke-Activation $metaData }

if (Test-Path (Join-Path $metaData 'first-boot')) {
    Invoke-Step 'password' { Set-RandomPassword $metaData }
    Stop-Windows
    exit 0
}

Invoke-Step 'monitoring agent' { Set-MonitoringAgent $metaData }
Invoke-Step 'meta-data disk offline' { Disable-MetaDataDisk $metaData }
exit 0
