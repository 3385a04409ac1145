//! Attacks that take several turns.

use super::{Call, Ground};

/// One of them: why it succeeded, where it did.
type Story = fn(&Ground) -> Result<(), String>;

const TERMINAL: &str = "root's terminal";
const UNDO: &str = "undo";
const READERS: &str = "jobs: a link in the user's directory";
const INTERRUPTED: &str = "interrupted";

/// Kind, name and what happens.
pub const STORIES: &[(&str, &str, Story)] = &[
    (TERMINAL, "a filter, a hook and a monitor of git type into it at a deployment", filters),
    (TERMINAL, "a credential helper and an ssh command of git type into it", helpers),
    (TERMINAL, "the python of a venv and the wrapper type into it", wrapper),
    (TERMINAL, "a filter of git leaves something behind that holds golden up", holders),
    (READERS, "a rehearsal reads the repository as its owner, and as root never", rehearsed),
    (UNDO, "a directory that a commit brought becomes a link to root's", added),
    (INTERRUPTED, "fix is killed while a program runs", killed),
    (INTERRUPTED, "fix is asked to end while a program runs", ended),
    (INTERRUPTED, "deploy is killed while git waits for a filter", killed_deployment),
    (INTERRUPTED, "a venv that is being made when apply is killed", killed_build),
];

/// Who runs git for a rehearsal is written down.
const WITNESS: &str = "printf '#!/bin/sh\\nid -u >>/tmp/uids\\nexec /usr/bin/git \"$@\"\\n' >/usr/local/bin/git; chmod 0755 /usr/local/bin/git; \
    : >/tmp/uids; chmod 0666 /tmp/uids";

/// Another commit of the remote, with files added.
const COMMIT: &str = "rm -rf /home/qt/work; git clone --quiet /home/qt/origin.git /home/qt/work; cd /home/qt/work; \
    git config user.name qt; git config user.email qt@localhost; mkdir new; \
    for name in run.sh Makefile added.txt; do echo new >new/$name; done; echo 'new/* filter=evil' >.gitattributes; \
    git add --all; git commit --quiet --message more; git push --quiet origin HEAD:main; rm -rf /home/qt/work";

const EVIL: &str = "cd /home/qt/quantum_trader; cp /attack/terminal.sh /home/qt/evil; chmod 0755 /home/qt/evil; \
    git config filter.evil.smudge /home/qt/evil; git config filter.evil.clean /home/qt/evil; git config filter.evil.required true; \
    git config core.fsmonitor /home/qt/evil; git config core.hooksPath /home/qt/hooks; mkdir -p /home/qt/hooks; \
    for hook in post-checkout pre-checkout reference-transaction post-index-change post-merge; do cp /home/qt/evil /home/qt/hooks/$hook; done; \
    git config credential.helper '!/home/qt/evil'; git config core.sshCommand /home/qt/evil; git config core.pager /home/qt/evil; \
    git config core.editor /home/qt/evil; git config core.askPass /home/qt/evil; git config diff.external /home/qt/evil; \
    git config gpg.program /home/qt/evil; git config uploadpack.packObjectsHook /home/qt/evil; git config alias.fetch '!/home/qt/evil'";

/// Runs a call of root's on a terminal of its own, where whatever is typed ends in a shell.
fn on_a_terminal(ground: &Ground, words: &str, limit: u32) -> Result<String, String> {
    let call = ground.call(
        &format!("script -qec '{words}; sleep 1' /tmp/typescript >/attack/typescript 2>&1; true"),
        limit,
    )?;
    Ok(format!("{}{}", call.said, ground.root("cat /attack/typescript")))
}

/// Nobody reached the terminal.
fn untouched(ground: &Ground, said: &str) -> Result<(), String> {
    match ground.holds("test ! -e /home/qt/reached && test ! -e /root/pwned && ! grep -q 'touch /root/pwned' /attack/typescript") {
        true => Ok(()),
        false => Err(format!("{}\n{said}", ground.root("cat /home/qt/reached"))),
    }
}

fn filters(ground: &Ground) -> Result<(), String> {
    let before = ground.canaries();
    ground.as_user("qt", COMMIT);
    ground.as_user("qt", EVIL);
    // It may be deployed or refused.
    let said = on_a_terminal(ground, "golden deploy main", 180)?;
    untouched(ground, &said)?;
    ground.unharmed(&before)?;
    let said = on_a_terminal(ground, "golden apply --undo", 180)?;
    untouched(ground, &said)?;
    ground.unharmed(&before)
}

fn helpers(ground: &Ground) -> Result<(), String> {
    let before = ground.canaries();
    ground.as_user("qt", EVIL);
    for remote in ["ssh://qt@localhost/x", "https://localhost:1/x.git", "ext::/home/qt/evil %S"] {
        ground.as_user("qt", &format!("cd $R; git config url.'{remote}'.insteadOf /home/qt/origin.git; git config --global url.'{remote}'.insteadOf https://github.com/"));
        let said = on_a_terminal(ground, "golden deploy main", 180)?;
        untouched(ground, &said)?;
    }
    ground.unharmed(&before)
}

fn wrapper(ground: &Ground) -> Result<(), String> {
    let before = ground.canaries();
    ground.as_user("qt", "cp /attack/terminal.sh $R/ops/more.sh; cp /attack/terminal.sh $R/ops/run.sh; chmod 0644 $R/ops/run.sh");
    for words in ["golden fix --yes", "golden apply --yes", "golden audit", "golden apply --undo"] {
        let said = on_a_terminal(ground, words, 60)?;
        untouched(ground, &said)?;
    }
    ground.unharmed(&before)
}

fn holders(ground: &Ground) -> Result<(), String> {
    let before = ground.canaries();
    ground.as_user("qt", COMMIT);
    ground.as_user("qt", EVIL);
    // One holds git's pipe, one has left its session, one is silent about its end.
    ground.as_user("qt", "printf '#!/bin/sh\\nsleep 500 &\\nsetsid sleep 501 &\\nsetsid sleep 502 >/dev/null 2>&1 &\\nexec cat\\n' >/home/qt/evil; chmod 0755 /home/qt/evil");
    let nothing_left = |said: &str| match ground.holds("! pgrep -u qt -f '^sleep 50'") {
        true => Ok(()),
        false => Err(format!("what git started goes on: {}\n{said}", ground.root("ps -fu qt"))),
    };
    let said = ground.call("golden deploy main --check", 60)?.said;
    nothing_left(&said)?;
    let call = ground.call("golden deploy main", 180)?;
    nothing_left(&call.said)?;
    ground.unharmed(&before).map_err(|why| format!("{why}\n{}", call.said))
}

fn rehearsed(ground: &Ground) -> Result<(), String> {
    let before = ground.canaries();
    ground.root(WITNESS);
    let result = (|| {
        // It gets as far as the boot, which nothing here can do.
        let call = ground.call("golden rehearse --copy-host --calm", 120)?;
        if !ground.holds("test \"$(sort -u /tmp/uids)\" = \"$(id -u qt)\"")
            || !call.said.contains("machine up")
        {
            return Err(format!("{}{}", ground.root("cat /tmp/uids"), call.said));
        }
        for plant in [
            "mkdir -p /tmp/.git; cp -r $R/.git/. /tmp/.git; mv $R $R.away; ln -s /tmp $R",
            "rm $R; mv $R.away $R; mv $R/.git $R/g; ln -s /root/ops $R/.git",
            "rm $R/.git; mv $R/g $R/.git; $RACE 60 $R /home/qt/y",
        ] {
            ground.as_user("qt", &format!("ln -sfn /root/ops /home/qt/y; {plant}"));
            for _ in 0..3 {
                ground.call("golden rehearse --copy-host --calm", 60)?;
            }
        }
        match ground.holds("! grep -qx 0 /tmp/uids") {
            true => Ok(()),
            false => Err("root ran git".to_owned()),
        }
    })();
    ground.root("rm -f /usr/local/bin/git /tmp/uids");
    result.and_then(|()| ground.unharmed(&before))
}

fn added(ground: &Ground) -> Result<(), String> {
    let before = ground.canaries();
    ground.as_user("qt", COMMIT);
    let call = ground.call("golden deploy main", 180)?;
    if call.code != "0" {
        return Err(format!("it was not deployed, so nothing was tried\n{}", call.said));
    }
    ground.as_user("qt", "cd $R; rm -rf new; ln -s /root/ops new");
    let call = ground.call("golden apply --undo", 180)?;
    ground.unharmed(&before).map_err(|why| format!("{why}\n{}", call.said))
}

/// A fix that is in the middle of a running program: the unit that it restarts takes its time to stop. By then it has
/// written its drop-in.
const SLOW: &str = "mkdir -p /etc/systemd/system/quantum-backend.service.d; \
    printf '[Service]\\nExecStop=/bin/sleep 20\\nEnvironment=PATH=/opt/bin:/usr/bin:/bin\\n' >/etc/systemd/system/quantum-backend.service.d/x.conf; \
    systemctl daemon-reload; systemctl restart quantum-backend; sleep 1; \
    export GOLDEN_CONTRACT=builtin:quantum; setsid --fork golden fix --yes >/attack/fix 2>&1; \
    for n in $(seq 200); do pgrep -f '^golden fix' >/attack/pid && pgrep -P $(cat /attack/pid) systemctl >/dev/null && \
        systemctl show --property=SubState quantum-backend | grep -q =stop && break; sleep 0.1; done";
/// It is there.
const RUNS: &str = "test -e /etc/systemd/system/quantum-backend.service.d/zz-golden.conf && pgrep -P $(cat /attack/pid) systemctl";
/// Its drop-in is gone, and systemd knows.
const BACK: &str = "test ! -e /etc/systemd/system/quantum-backend.service.d/zz-golden.conf && \
    systemctl show --property=Environment quantum-backend | grep -q PATH";
/// No program of golden's runs, and the unit does.
const OVER: &str =
    "! pgrep -f '^golden fix' && ! pgrep -x systemctl && systemctl is-active --quiet quantum-backend";
/// The unit stops quickly again.
const QUICK: &str = "rm -f /etc/systemd/system/quantum-backend.service.d/x.conf; systemctl daemon-reload";

/// A fix in the middle of a program, and what happens then.
fn amid(ground: &Ground, then: Story) -> Result<(), String> {
    ground.root(SLOW);
    let result = match ground.holds(RUNS) {
        true => then(ground),
        false => Err("nothing ran, so nothing was tried".to_owned()),
    };
    let said = ground.root("cat /attack/fix; ps -ef | grep -E 'golden|systemctl'");
    ground.root(QUICK);
    result.map_err(|why| format!("{why}\n{said}"))
}

fn killed(ground: &Ground) -> Result<(), String> {
    amid(ground, |ground| {
        if !ground
            .holds("kill -9 $(cat /attack/pid); sleep 0.5; ! pgrep -f '^golden fix' && ! pgrep -x systemctl")
        {
            return Err("something goes on".to_owned());
        }
        recovered(ground)?;
        match ground.holds(&format!("{BACK} && {OVER}")) {
            true => Ok(()),
            false => Err("it was not brought back".to_owned()),
        }
    })
}

/// The next audit announces what was interrupted, and the recovery ends that; what it said.
fn recovered(ground: &Ground) -> Result<String, String> {
    let announced = |call: &Call| call.said.contains("plan-interrupted");
    let audit = ground.call("golden audit", 60)?;
    if audit.code == "0" || !announced(&audit) {
        return Err(format!("the audit is silent about it\n{}", audit.said));
    }
    let recovery = ground.call("golden apply --recover", 120)?;
    let audit = ground.call("golden audit", 60)?;
    match announced(&audit) {
        true => Err(format!("it is not recovered\n{}\n{}", recovery.said, audit.said)),
        false => Ok(recovery.said),
    }
}

fn ended(ground: &Ground) -> Result<(), String> {
    amid(ground, |ground| {
        ground.root("kill -TERM $(cat /attack/pid)");
        // What ran before is started again, which takes the unit's own time; everything else is back at once.
        if !ground.holds(&format!("for n in $(seq 50); do {BACK} && exit 0; sleep 0.1; done; exit 1")) {
            return Err("it is not undone within five seconds".to_owned());
        }
        if !ground.holds(&format!("for n in $(seq 600); do {OVER} && exit 0; sleep 0.1; done; exit 1")) {
            return Err("it does not end".to_owned());
        }
        let audit = ground.call("golden audit", 60)?;
        match audit.said.contains("plan-interrupted") {
            true => Err(format!("it left a plan behind\n{}", audit.said)),
            false => Ok(()),
        }
    })
}

/// A deployment whose git waits for a filter of the service's user.
fn killed_deployment(ground: &Ground) -> Result<(), String> {
    ground.as_user("qt", COMMIT);
    ground.as_user("qt", "cd $R; git config filter.evil.smudge 'touch /home/qt/reached; sleep 30'; git config filter.evil.clean cat; git rev-parse HEAD >/home/qt/head");
    ground.root(
        "export GOLDEN_CONTRACT=builtin:quantum; setsid --fork golden deploy main >/attack/fix 2>&1; \
         for n in $(seq 200); do test -e /home/qt/reached && break; sleep 0.1; done; pgrep -f '^golden deploy' >/attack/pid",
    );
    let said = || ground.root("cat /attack/fix; ps -ef | grep -E 'golden|git'");
    if !ground.holds("test -e /home/qt/reached && pgrep -P $(cat /attack/pid) git") {
        return Err(format!("git did not run, so nothing was tried\n{}", said()));
    }
    if !ground.holds("kill -9 $(cat /attack/pid); sleep 0.5; ! pgrep -f '^golden deploy' && ! pgrep -x git") {
        return Err(format!("something goes on\n{}", said()));
    }
    let recovery = recovered(ground).map_err(|why| format!("{why}\n{}", said()))?;
    match ground.holds("cd $R; test \"$(runuser -u qt -- git rev-parse HEAD)\" = \"$(cat /home/qt/head)\" && test ! -e new && test -z \"$(runuser -u qt -- git status --porcelain --untracked-files=no)\"") {
        true => Ok(()),
        false => Err(format!("it was not brought back\n{recovery}\n{}", ground.root("cd $R; runuser -u qt -- git status; ls -a . new"))),
    }
}

fn killed_build(ground: &Ground) -> Result<(), String> {
    ground.root("test -e /attack/venvs.tar || tar -C / -cpf /attack/venvs.tar opt/quantum/venvs");
    ground.root(
        "systemctl stop quantum-backend; rm -rf $V/backend; export GOLDEN_CONTRACT=builtin:quantum; \
         setsid --fork golden apply --yes --wheelhouse /attack/wheelhouse >/tmp/fix 2>&1; \
         for n in $(seq 200); do systemctl list-units --plain 'golden-build-*' | grep -q running && break; sleep 0.1; done; pgrep -x golden >/tmp/pid",
    );
    let said = || ground.root("cat /tmp/fix; systemctl list-units 'golden-build-*'");
    let result = if !ground.holds("test -s /tmp/pid && kill -9 $(cat /tmp/pid)") {
        Err(format!("nothing was built, so nothing was tried\n{}", said()))
    } else {
        let recovered = ground.call("golden apply --recover", 60)?;
        match ground.holds("! systemctl list-units --plain 'golden-build-*' | grep -q running; test ! -e /opt/quantum/venvs/.backend.golden-new") {
            true => Ok(()),
            false => Err(format!("the build goes on\n{}{}", recovered.said, said())),
        }
    };
    ground.root("systemctl stop 'golden-build-*'; rm -rf $V; tar -C / -xpf /attack/venvs.tar; systemctl restart quantum-backend");
    result
}
