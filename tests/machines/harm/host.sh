# A host that somebody set up by hand, with two services that run.
set -eu
export U=/etc/systemd/system
useradd --system --user-group --home-dir /srv/app --shell /usr/sbin/nologin app
useradd --create-home --user-group bob
useradd --create-home --user-group carol
groupadd --system ssl-cert
# The machine has no disk of its own, and the journal of a test may go.
mkdir -p /var/log/journal
# As Debian has them; the base image lacks the packages.
install -d -o root -g ssl-cert -m 0710 /etc/ssl/private
mkdir -p /etc/sudoers.d
printf 'root ALL=(ALL:ALL) ALL\n%%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n' >/etc/sudoers
chmod 0440 /etc/sudoers
install -d -o app -g app -m 0755 /srv/app
install -d -o app -g app -m 0750 /srv/app-data
install -d -o root -g app -m 0750 /etc/app
for name in api worker; do
    printf '#!/bin/sh\nexec sleep infinity\n' >/usr/local/bin/$name
    chmod 0755 /usr/local/bin/$name
    cat >$U/$name.service <<UNIT
[Unit]
Description=The $name of the app
Documentation=https://wiki.example/app/$name
After=network.target

[Service]
User=app
Group=app
WorkingDirectory=/srv/app
EnvironmentFile=/etc/app/$name.env
ExecStart=/usr/local/bin/$name
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
UNIT
done
install -o root -g app -m 0640 /dev/null /etc/app/api.env
install -o root -g app -m 0640 /dev/null /etc/app/worker.env
echo PORT=8000 >/etc/app/api.env
echo QUEUE=orders >/etc/app/worker.env
systemctl daemon-reload
systemctl --quiet enable --now api worker
