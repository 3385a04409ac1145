# Puts everything back. $1 is `data` where what the services write was touched.
cd /
pkill -KILL -u mallory || true
pkill -KILL -f /attack/ -u qt || true
rm -rf /tmp/* /pwned /root/pwned 2>/dev/null || true
chattr -R -i /home/qt /home/mallory 2>/dev/null || true
units='quantum-backend quantum-ai-engine quantum-execution quantum-rl-agent'
if [ "$1" = data ]; then
    systemctl stop $units
    rm -rf /opt/quantum/data /opt/quantum/ai_engine
fi
rm -rf /home/qt /home/mallory /home/carol /etc/quantum /etc/systemd/system /etc/golden /etc/redis /etc/cron.d
rm -rf /root/.ssh /root/ops /var/lib/golden/plans
if [ "$1" = data ]; then
    tar -xpf /attack/before.tar
else
    tar -xpf /attack/before.tar --exclude=opt/quantum/data --exclude=opt/quantum/ai_engine
fi
systemctl daemon-reload
systemctl reset-failed
if [ "$1" = data ] || [ "$(systemctl is-active $units redis-server | grep -cx active)" != 5 ]; then
    systemctl restart redis-server $units
fi
true
