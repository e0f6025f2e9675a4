# What: the functions of wakame-init-first-boot.ps1 and wakame-init-every-boot.ps1.
# When: read by them with ". wakame-functions.ps1"; does nothing by itself.
# Who:  they run as SYSTEM.
# Log:  their output, which the .cmd files that start them append to a log file.
#
# Windows PowerShell 2.0 (2008 R2) has to understand this file. Whatever does not need
# Windows is C# 2.0 text, so that it can be compiled and tested anywhere.

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

Add-Type -TypeDefinition @'
using System;
using System.Collections.Generic;
using System.Security.Cryptography;
using System.Text;

namespace Wakame {
    // The RSA key of a line "ssh-rsa BASE64 [COMMENT]" (RFC 4253, section 6.6).
    public sealed class SshPublicKey {
        private readonly byte[] blob;
        private int position;
        private readonly RSAParameters parameters;

        public SshPublicKey(string line) {
            string[] words = line.Split(
                new char[] { ' ', '\t', '\r', '\n' }, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2 || words[0] != "ssh-rsa")
                throw new FormatException("the OpenSSH key is not of the form 'ssh-rsa BASE64'");
            blob = Convert.FromBase64String(words[1]);
            if (Encoding.ASCII.GetString(NextField()) != "ssh-rsa")
                throw new FormatException("the OpenSSH key is not an RSA key inside");
            parameters.Exponent = Unsigned(NextField());
            parameters.Modulus = Unsigned(NextField());
            if (position != blob.Length)
                throw new FormatException("the OpenSSH key has bytes behind its end");
        }

        // RSA-OAEP with SHA-1; at most (key bytes - 42) bytes of UTF-8.
        public byte[] Encrypt(string secret) {
            using (RSACryptoServiceProvider rsa = new RSACryptoServiceProvider()) {
                rsa.PersistKeyInCsp = false;
                rsa.ImportParameters(parameters);
                return rsa.Encrypt(new UTF8Encoding(false).GetBytes(secret), true);
            }
        }

        private byte[] NextField() {
            if (blob.Length - position < 4)
                throw new FormatException("the OpenSSH key is cut off");
            long length = 0;
            for (int i = 0; i < 4; i++)
                length = length << 8 | blob[position + i];
            if (length > blob.Length - position - 4)
                throw new FormatException("the OpenSSH key is cut off");
            byte[] field = new byte[length];
            Array.Copy(blob, position + 4, field, 0, field.Length);
            position += 4 + field.Length;
            return field;
        }

        // An mpint begins with a zero byte where its first bit would look like a sign.
        private static byte[] Unsigned(byte[] mpint) {
            int zeros = 0;
            while (zeros < mpint.Length && mpint[zeros] == 0)
                zeros++;
            if (zeros == mpint.Length)
                throw new FormatException("the OpenSSH key holds a number without a value");
            byte[] number = new byte[mpint.Length - zeros];
            Array.Copy(mpint, zeros, number, 0, number.Length);
            return number;
        }
    }

    public static class Password {
        // Without look-alikes, quotes, and the backslash: Japanese fonts show it as yen.
        private static readonly string[] Classes = {
            "abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "!#$%&*+-=?@"
        };

        // One character of each class at least, which is what "complexity" asks for.
        public static string Generate(int length) {
            if (length < Classes.Length)
                throw new ArgumentOutOfRangeException("length");
            RandomNumberGenerator random = RandomNumberGenerator.Create();
            string all = string.Concat(Classes);
            char[] chosen = new char[length];
            for (int i = 0; i < length; i++) {
                string source = i < Classes.Length ? Classes[i] : all;
                chosen[i] = source[Below(random, source.Length)];
            }
            for (int i = length - 1; i > 0; i--) {
                int other = Below(random, i + 1);
                char kept = chosen[i];
                chosen[i] = chosen[other];
                chosen[other] = kept;
            }
            return new string(chosen);
        }

        // Every number equally likely: bytes beyond the last whole multiple are thrown away.
        private static int Below(RandomNumberGenerator random, int limit) {
            byte[] one = new byte[1];
            do {
                random.GetBytes(one);
            } while (one[0] >= 256 - 256 % limit);
            return one[0] % limit;
        }
    }

    public static class ConfigText {
        private const string Marker = "do not modify";

        // The lines of a hosts file with our section, the last one, made anew.
        public static string[] WithHosts(string[] lines, string[] entries) {
            List<string> result = new List<string>();
            foreach (string line in lines) {
                if (line.IndexOf(Marker, StringComparison.OrdinalIgnoreCase) >= 0)
                    break;
                result.Add(line);
            }
            result.Add("# Wakame writes what follows at every boot: " + Marker);
            result.AddRange(entries);
            return result.ToArray();
        }

        // The lines with "name=value": in place of the first such line, else of the first
        // one commented out, else at the end. Further ones are dropped.
        public static string[] WithOption(string[] lines, string name, string value) {
            int place = FirstLine(lines, name + "=");
            if (place < 0)
                place = FirstLine(lines, "#" + name + "=");
            List<string> result = new List<string>();
            for (int i = 0; i < lines.Length; i++) {
                if (i == place)
                    result.Add(name + "=" + value);
                else if (!Compact(lines[i]).StartsWith(name + "=", StringComparison.Ordinal))
                    result.Add(lines[i]);
            }
            if (place < 0)
                result.Add(name + "=" + value);
            return result.ToArray();
        }

        private static int FirstLine(string[] lines, string beginning) {
            for (int i = 0; i < lines.Length; i++)
                if (Compact(lines[i]).StartsWith(beginning, StringComparison.Ordinal))
                    return i;
            return -1;
        }

        private static string Compact(string line) {
            return line.Replace(" ", "").Replace("\t", "");
        }
    }
}
'@

function Write-Log([string]$Text) {
    Write-Host ('{0:yyyy-MM-dd HH:mm:ss} {1}' -f (Get-Date), $Text)
}

# Runs one step of a script. A failure is logged and the script goes on.
function Invoke-Step([string]$Name, [scriptblock]$Action) {
    Write-Log "$Name ..."
    try {
        & $Action
        Write-Log "$Name done"
    }
    catch {
        Write-Log "$Name FAILED: $(($_ | Out-String).Trim())"
    }
}

# Runs a program. Its output goes through Write-Host, because PowerShell 2.0 stops when a
# program and PowerShell itself write to the same redirected handle.
function Invoke-Program([string]$Program, [string[]]$Arguments) {
    $ErrorActionPreference = 'Continue'
    & $Program $Arguments 2>&1 | ForEach-Object { Write-Host "    $_" }
    if ($LASTEXITCODE -ne 0) {
        throw "$Program ended with $LASTEXITCODE"
    }
}

function Invoke-DiskPart([string[]]$Commands) {
    $script = [IO.Path]::GetTempFileName()
    try {
        [IO.File]::WriteAllLines($script, $Commands, [Text.Encoding]::ASCII)
        Invoke-Program 'diskpart.exe' @('/s', $script)
    }
    finally {
        Remove-Item $script
    }
}

# Brings every disk online and writable: Windows Server leaves new disks offline.
function Enable-AllDisks {
    foreach ($disk in @(Get-WmiObject Win32_DiskDrive)) {
        try {
            $select = "select disk $($disk.Index)"
            Invoke-DiskPart @($select, 'online disk noerr', 'attributes disk clear readonly noerr')
        }
        catch {
            Write-Log "disk $($disk.Index): $_"
        }
    }
}

function Get-FreeDriveLetter {
    $used = @(Get-WmiObject Win32_LogicalDisk | ForEach-Object { $_.DeviceID })
    foreach ($code in 69..90) {
        $letter = [string][char]$code + ':'
        if ($used -notcontains $letter) { return $letter }
    }
    throw 'no drive letter from E to Z is free'
}

# The folder meta-data of the volume METADATA. Waits for the volume, which can take some
# seconds to appear after its disk has come online.
function Get-MetaDataFolder([int]$WaitSeconds) {
    Enable-AllDisks
    $end = (Get-Date).AddSeconds($WaitSeconds)
    do {
        $volume = Get-WmiObject Win32_Volume -Filter "Label='METADATA'" | Select-Object -First 1
        if ($volume) { break }
        Start-Sleep -Milliseconds 500
    } while ((Get-Date) -lt $end)
    if (-not $volume) {
        throw 'there is no volume METADATA'
    }
    $letter = $volume.DriveLetter
    if (-not $letter) {
        $letter = Get-FreeDriveLetter
        $volume.DriveLetter = $letter
        [void]$volume.Put()
    }
    $folder = "$letter\meta-data"
    if (-not (Test-Path $folder -PathType Container)) {
        throw "there is no folder $folder"
    }
    return $folder
}

# The text of a file of the meta-data without blanks around it; '' if there is no such file.
function Get-MetaData([string]$Folder, [string]$Name) {
    $file = Join-Path $Folder $Name
    if (-not (Test-Path $file -PathType Leaf)) {
        return ''
    }
    return [IO.File]::ReadAllText($file).Trim()
}

function Get-Words([string]$Text) {
    return @($Text -split '[\s,]+' | Where-Object { $_ })
}

function Assert-WmiSuccess([string]$What, $Result, [int[]]$Good) {
    if ($Good -notcontains $Result.ReturnValue) {
        throw "$What gave $($Result.ReturnValue)"
    }
}

function Set-Network([string]$Folder) {
    $macs = Join-Path $Folder 'network\interfaces\macs'
    if (-not (Test-Path $macs)) {
        Write-Log "there is no $macs"
        return
    }
    # With several adapters, an address that moves from one to another is refused without an
    # error as long as the other has it: the second pass sets it.
    foreach ($pass in 1..2) {
        foreach ($entry in @(Get-ChildItem $macs | Where-Object { $_.PSIsContainer })) {
            try {
                Set-Adapter $Folder "network\interfaces\macs\$($entry.Name)" $entry.Name
            }
            catch {
                Write-Log "$($entry.Name): $_"
            }
        }
    }
}

function Set-Adapter([string]$Folder, [string]$Entry, [string]$Mac) {
    $address = $Mac.Replace('-', ':')
    $adapter = Get-WmiObject Win32_NetworkAdapterConfiguration -Filter "MACAddress='$address'" |
        Sort-Object IPEnabled -Descending | Select-Object -First 1
    if (-not $adapter) {
        throw "there is no network adapter $Mac"
    }
    $ips = @(Get-Words (Get-MetaData $Folder "$Entry\local-ipv4s"))
    $mask = Get-MetaData $Folder "$Entry\x-netmask"
    $gateways = @(Get-Words (Get-MetaData $Folder "$Entry\x-gateway"))
    $dns = @(Get-Words (Get-MetaData $Folder "$Entry\x-dns"))
    if ($ips.Count -eq 0 -or -not $mask) {
        Write-Log "${Mac}: no address or no netmask"
        return
    }
    # A result of 1 means that it works after a restart.
    $result = $adapter.EnableStatic([string[]]$ips, [string[]](@($mask) * $ips.Count))
    Assert-WmiSuccess "EnableStatic of $Mac" $result @(0, 1)
    if ($gateways.Count -gt 0) {
        $result = $adapter.SetGateways([string[]]$gateways, [UInt16[]](@(1) * $gateways.Count))
        Assert-WmiSuccess "SetGateways of $Mac" $result @(0, 1)
    }
    if ($dns.Count -gt 0) {
        $result = $adapter.SetDNSServerSearchOrder([string[]]$dns)
        Assert-WmiSuccess "SetDNSServerSearchOrder of $Mac" $result @(0, 1)
    }
    Write-Log "${Mac}: $ips / $mask, gateway $gateways, name servers $dns"
}

# The built-in administrator is known by its SID: its name differs between languages.
function Set-AdministratorPassword([string]$Password) {
    $account = Get-WmiObject Win32_UserAccount -Filter "LocalAccount=True" |
        Where-Object { $_.SID -like 'S-1-5-21-*-500' } | Select-Object -First 1
    if (-not $account) {
        throw 'there is no built-in administrator'
    }
    $user = [ADSI]"WinNT://$env:COMPUTERNAME/$($account.Name),user"
    $user.SetPassword($Password)
    $user.SetInfo()
}

# Gives the administrator a random password and leaves it, encrypted with the instance's ssh
# key, as the file pw.enc. The key is read first: nobody could read a password without it.
function Set-RandomPassword([string]$Folder) {
    $key = New-Object Wakame.SshPublicKey (Get-MetaData $Folder 'public-keys\0\openssh-key')
    $attempts = 10
    $wanted = Get-MetaData $Folder 'retry-gen-password'
    if ($wanted -match '^[1-9]\d{0,3}$') {
        $attempts = [int]$wanted
    }
    foreach ($attempt in 1..$attempts) {
        $password = [Wakame.Password]::Generate(14)
        $encrypted = $key.Encrypt($password)
        try {
            Set-AdministratorPassword $password
            [IO.File]::WriteAllBytes((Join-Path $Folder 'pw.enc'), $encrypted)
            return
        }
        catch {
            Write-Log "attempt $attempt of ${attempts}: $($_.Exception.Message)"
        }
    }
    throw "no password was accepted in $attempts attempts"
}

function Set-HostsFile([string]$Folder) {
    $extra = Join-Path $Folder 'extra-hosts'
    $entries = @()
    if (Test-Path $extra) {
        foreach ($file in @(Get-ChildItem $extra | Where-Object { -not $_.PSIsContainer })) {
            $address = Get-MetaData $extra $file.Name
            if ($address) {
                $entries += "$address $($file.Name)"
            }
        }
    }
    $hosts = Join-Path $env:SystemRoot 'System32\drivers\etc\hosts'
    # Windows reads the file in this encoding; a byte order mark would spoil its first line.
    $encoding = [Text.Encoding]::Default
    $lines = [IO.File]::ReadAllLines($hosts, $encoding)
    $lines = [Wakame.ConfigText]::WithHosts($lines, [string[]]$entries)
    [IO.File]::WriteAllLines($hosts, $lines, $encoding)
}

function Invoke-Activation([string]$Folder) {
    if (-not (Test-Path (Join-Path $Folder 'auto-activate') -PathType Container)) {
        Write-Log 'not asked for'
        return
    }
    $proxy = Get-MetaData $Folder 'auto-activate\auto-activate-proxy'
    if ($proxy) {
        Invoke-Program 'netsh.exe' @('winhttp', 'set', 'proxy', $proxy)
    }
    try {
        Invoke-Program 'netsh.exe' @('winhttp', 'show', 'proxy')
        $slmgr = Join-Path $env:SystemRoot 'System32\slmgr.vbs'
        Invoke-Program 'cscript.exe' @('//b', '//nologo', $slmgr, '/ato')
    }
    finally {
        if ($proxy) {
            Invoke-Program 'netsh.exe' @('winhttp', 'reset', 'proxy')
        }
    }
}

function Stop-Windows {
    Write-Log 'powering off'
    try {
        Stop-Computer -Force
    }
    catch {
        Write-Log "Stop-Computer: $_"
        Invoke-Program 'shutdown.exe' @('/s', '/f', '/t', '0')
    }
}
