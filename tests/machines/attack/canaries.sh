# Everything that no attack may change: a digest of what is root's and of what is somebody else's.
cd /
ls -d /pwned /tmp/pwned /root/pwned /etc/pwned /usr/bin/pwned 2>/dev/null
stat -c '%n %a %u:%g %F' / /etc /root /home /home/carol /opt /opt/quantum /opt/quantum/venvs /var /var/lib /tmp /usr /usr/bin \
    /etc/shadow /etc/passwd /etc/group /etc/gshadow /etc/sudoers /etc/sudoers.d 2>/dev/null
find etc root usr/local home/carol srv var/spool/cron opt/quantum/venvs -xdev -path 'etc/systemd/system/*.d' -prune -o -name __pycache__ -prune \
    -o \( -type f -o -type l -o -type d -o -type p \) -printf '%p %m %u:%g %l %y\n' | LC_ALL=C sort
find etc root usr/local home/carol srv -xdev -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
