# The ground of the attacks: a stranger with a shell, somebody else with secrets, things of root's that nobody may read,
# and the state that everything is put back to. Run once, as root, on the booted machine.
set -e
useradd --create-home --shell /bin/bash mallory
useradd --create-home --shell /bin/bash carol
chmod 0755 /home/mallory; chmod 0711 /home/carol
install -m 0600 -o carol -g carol /dev/null /home/carol/letter
echo CANARY-LETTER-5e0c >/home/carol/letter
install -m 0644 -o carol -g carol /dev/null /home/carol/readable
mkdir -p -m 0700 /root/.ssh /root/ops
printf '%s\n' '-----BEGIN CANARY-KEY-91d2-----' CANARY-KEY-91d2 >/root/.ssh/id_rsa
chmod 0600 /root/.ssh/id_rsa
# What a directory of root's holds under the names of the repository.
for name in run.sh Makefile added.txt; do printf '#!/bin/sh\n# CANARY-ROOTS-77aa\n' >/root/ops/$name; done
echo 'canary:$6$CANARY-SHADOW-c41f$x:19000:0:99999:7:::' >>/etc/shadow
# A copy of this host is laid, and not booted: that is tried elsewhere.
printf '#!/bin/sh\nexit 1\n' >/usr/local/bin/systemd-nspawn
chmod 0755 /usr/local/bin/systemd-nspawn
# Three accounts that no tool checks: the last line of shadow is only ever text here.
mkdir -p /srv/away
# The remote of the contract is a repository of qt's on this host.
runuser -u qt -- git clone --quiet --bare /home/qt/quantum_trader /home/qt/origin.git
printf '[url "/home/qt/origin.git"]\n\tinsteadOf = https://github.com/binyaminsemerci-ops/quantum_trader.git\n' >/etc/gitconfig
printf '[safe]\n\tdirectory = *\n' >>/etc/gitconfig
cp -a /opt/quantum/data/quantum_trader.db /attack/db
tar --xattrs --acls -C / -cpf /attack/before.tar --exclude=opt/quantum/venvs \
    home opt/quantum etc/quantum etc/systemd/system etc/golden etc/redis etc/cron.d root/.ssh root/ops 2>/dev/null ||
    tar -C / -cpf /attack/before.tar --exclude=opt/quantum/venvs $(cd /; ls -d home opt/quantum etc/quantum \
        etc/systemd/system etc/golden etc/redis etc/cron.d root/.ssh root/ops 2>/dev/null)
