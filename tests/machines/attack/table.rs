//! The attacks, by kind. `$R` is the repository, `$D` the data, `$M` the models, `$E` the env files, `$V` the venvs.

/// Who plants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The service's user, who owns the repository, data and models.
    Qt,
    /// Somebody with a shell, who owns nothing of the contract.
    Mallory,
    /// Root, for what a kernel with other settings or an earlier root left behind.
    Root,
}

/// One attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// The row of the table of attacks.
    pub kind: &'static str,
    /// What is done.
    pub name: &'static str,
    /// Who does it.
    pub by: By,
    /// What root did before, so that there is something to mend.
    pub before: &'static str,
    /// What the attacker does.
    pub plant: &'static str,
    /// What root runs then; empty for [`VERBS`].
    pub verbs: &'static [&'static str],
    /// What must hold afterwards: mends of others are not held up, nothing goes on.
    pub after: &'static str,
    /// The audit must not pass while it lies there.
    pub seen: bool,
}

/// What root runs where an attack names nothing else.
pub const VERBS: &[&str] = &[
    "golden audit",
    "golden audit --format json",
    "golden facts",
    "golden fix --yes",
    "golden apply --yes",
    "golden apply --undo",
];

const READ: &[&str] = &["golden audit", "golden audit --format json", "golden facts"];

const PLAIN: Attack =
    Attack { kind: "", name: "", by: By::Qt, before: "", plant: "", verbs: &[], after: "", seen: false };

pub const fn of(kind: &'static str, by: By, name: &'static str, plant: &'static str) -> Attack {
    Attack { kind, name, by, plant, ..PLAIN }
}

/// Something of root's to mend, and what says that it was mended.
const OPEN: &str = "chmod 0777 $E";
const MENDED: &str = "test \"$(stat -c %a $E)\" = 755";

const fn held_up(kind: &'static str, by: By, name: &'static str, plant: &'static str) -> Attack {
    Attack { kind, name, by, before: OPEN, plant, after: MENDED, ..PLAIN }
}

const LINKS: &str = "a link in the user's directory";
const FILES: &str = "a link as the file itself";
const NAMES: &str = "predictable names beside a file";
const TEXT: &str = "text in another language";
const FIRST: &str = "read it first";
const TREES: &str = "a stranger's tree";
const BLOCKS: &str = "a name that blocks";
const RACES: &str = "check by name, read again by name";
const UNDO: &str = "undo";
const ESCAPES: &str = "escape sequences";
const HUGE: &str = "slow or huge answers";
const LIMIT: &str = "behind the limit";
const GIT: &str = "git's own files";
const RIGHTS: &str = "rights that survive";

/// Every attack, kind by kind.
pub const ATTACKS: &[Attack] = &[
    // ---- links in directories -----------------------------------------------------------------
    held_up(LINKS, By::Qt, "data/backups leads to /etc", "rm -rf $D/backups; ln -s /etc $D/backups"),
    held_up(
        LINKS,
        By::Qt,
        "data/training_data leads to /root",
        "rm -rf $D/training_data; ln -s /root $D/training_data",
    ),
    held_up(
        LINKS,
        By::Qt,
        "data/model_checkpoints leads to somebody's home",
        "rm -rf $D/model_checkpoints; ln -s /home/carol $D/model_checkpoints",
    ),
    held_up(
        LINKS,
        By::Qt,
        "data/redis_dumps leads up and out",
        "rm -rf $D/redis_dumps; ln -s ../../../../etc $D/redis_dumps",
    ),
    held_up(LINKS, By::Qt, "ops leads to root's ops", "mv $R/ops $R/ops.away; ln -s /root/ops $R/ops"),
    held_up(
        LINKS,
        By::Qt,
        "requirements leads to /etc",
        "mv $R/requirements $R/r; ln -s /etc $R/requirements",
    ),
    held_up(LINKS, By::Qt, "the repository itself leads to /root", "mv $R $R.away; ln -s /root $R"),
    held_up(
        LINKS,
        By::Qt,
        "the home leads away on the way to the repository",
        "mkdir /home/qt/x; mv $R /home/qt/x/; ln -s /home/qt/x/quantum_trader $R",
    ),
    held_up(
        LINKS,
        By::Qt,
        "data's directories lead in a circle",
        "rm -rf $D/backups $D/redis_dumps; ln -s redis_dumps $D/backups; ln -s backups $D/redis_dumps",
    ),
    held_up(
        LINKS,
        By::Qt,
        "backups leads to a process's root",
        "rm -rf $D/backups; ln -s /proc/1/root/etc $D/backups",
    ),
    // ---- links as files ----------------------------------------------------------------------
    held_up(FILES, By::Qt, "the wrapper is root's key", "ln -sf /root/.ssh/id_rsa $R/ops/run.sh"),
    held_up(
        FILES,
        By::Qt,
        "the database is /etc/shadow",
        "rm -f $D/quantum_trader.db*; ln -s /etc/shadow $D/quantum_trader.db",
    ),
    held_up(
        FILES,
        By::Qt,
        "the database's log is /etc/shadow",
        "rm -f $D/quantum_trader.db-wal; ln -s /etc/shadow $D/quantum_trader.db-wal",
    ),
    held_up(
        FILES,
        By::Qt,
        "the database's log is a link into nothing of root's",
        "rm -f $D/quantum_trader.db-wal $D/quantum_trader.db-shm; ln -s /root/pwned $D/quantum_trader.db-wal; ln -s /root/pwned $D/quantum_trader.db-shm",
    ),
    held_up(FILES, By::Qt, "the Makefile is /etc/shadow", "ln -sf /etc/shadow $R/Makefile"),
    held_up(
        FILES,
        By::Qt,
        "the Makefile is a process's environment",
        "ln -sf /proc/self/environ $R/Makefile",
    ),
    held_up(FILES, By::Qt, "an env file in the repository is root's key", "ln -sf /root/.ssh/id_rsa $R/.env"),
    held_up(
        FILES,
        By::Qt,
        "a job's script is root's key",
        "ln -sf /root/.ssh/id_rsa $R/ops/training/train_patchtst.py; ln -sf /etc/shadow $R/scripts/build_patchtst_sequence_dataset.py",
    ),
    held_up(
        FILES,
        By::Qt,
        "the locked requirements are root's key",
        "for f in $R/requirements/*.txt; do ln -sf /root/.ssh/id_rsa $f; done",
    ),
    held_up(FILES, By::Qt, "a script beside the wrapper is /etc/shadow", "ln -s /etc/shadow $R/ops/more.sh"),
    held_up(
        FILES,
        By::Qt,
        "a model's archive is /etc/shadow",
        "ln -s /etc/shadow $M/archive/x.pth; ln -s /root/.ssh/id_rsa $M/active/x.pth",
    ),
    // ---- names beside a file -------------------------------------------------------------------
    held_up(
        NAMES,
        By::Qt,
        "a link where the new Makefile is written",
        "ln -s /root/pwned $R/.Makefile.golden-new; ln -s /root/pwned $R/ops/.run.sh.golden-new; sed -i 's,./ops/run.sh,python3,' $R/Makefile; chmod 0644 $R/ops/run.sh",
    ),
    held_up(
        NAMES,
        By::Qt,
        "a directory where the new Makefile is written",
        "mkdir -p $R/.Makefile.golden-new/x $R/ops/.run.sh.golden-new/x; sed -i 's,./ops/run.sh,python3,' $R/Makefile; chmod 0644 $R/ops/run.sh",
    ),
    held_up(
        NAMES,
        By::Qt,
        "a FIFO where the new Makefile is written",
        "mkfifo $R/.Makefile.golden-new $R/ops/.run.sh.golden-new; sed -i 's,./ops/run.sh,python3,' $R/Makefile; chmod 0644 $R/ops/run.sh",
    ),
    held_up(
        NAMES,
        By::Root,
        "the wrapper is another name of /etc/passwd",
        "rm $R/ops/run.sh; ln /etc/passwd $R/ops/run.sh",
    ),
    held_up(
        NAMES,
        By::Root,
        "the wrapper is another name of somebody's file",
        "rm $R/ops/run.sh; ln /home/carol/readable $R/ops/run.sh",
    ),
    held_up(
        NAMES,
        By::Root,
        "the Makefile is another name of root's key",
        "rm $R/Makefile; ln /root/.ssh/id_rsa $R/Makefile",
    ),
    held_up(
        NAMES,
        By::Root,
        "the database is another name of /etc/shadow",
        "rm -f $D/quantum_trader.db*; ln /etc/shadow $D/quantum_trader.db",
    ),
    held_up(
        NAMES,
        By::Qt,
        "the wrapper is swapped for a link where its owner was",
        "mv $R/ops/run.sh $R/ops/run.sh.own; ln -s run.sh.own $R/ops/run.sh; ln -sf /etc/passwd $R/ops/run.sh.own",
    ),
    // ---- other languages -----------------------------------------------------------------------
    held_up(
        TEXT,
        By::Qt,
        "words of sed in a recipe",
        "printf 'quality-gate:\\n\\tpython3 x.py | sed \"1e touch /root/pwned\" s|a|b|e;w /root/pwned\\n\\n\\1 & e touch /root/pwned\\n' >>$R/Makefile",
    ),
    held_up(
        TEXT,
        By::Qt,
        "words of the shell in a recipe",
        "printf 'audit:\\n\\tpython3 $$(touch /root/pwned) `touch /root/pwned` ; touch /root/pwned\\nscoreboard:\\n\\tpython3 \\047;touch /root/pwned;\\047\\n' >>$R/Makefile",
    ),
    held_up(
        TEXT,
        By::Qt,
        "words of make",
        "sed -i '1i X := $(shell touch /root/pwned)\\n$(eval $(shell touch /root/pwned))\\nSHELL=/bin/sh\\n!= touch /root/pwned\\ninclude /etc/shadow' $R/Makefile",
    ),
    held_up(
        TEXT,
        By::Qt,
        "a makefile that stands before the Makefile",
        "printf 'include /etc/shadow\\n$(shell touch /root/pwned)\\n' >$R/GNUmakefile",
    ),
    held_up(
        TEXT,
        By::Qt,
        "words in a script",
        "printf '#!/bin/sh\\npython3 \"$(touch /root/pwned)\" `touch /root/pwned`; e touch /root/pwned\\npython3 \\047\\n1e touch /root/pwned\\n\\047\\n' >$R/ops/more.sh",
    ),
    held_up(
        TEXT,
        By::Qt,
        "words in a script's name",
        "cd $R/ops; echo python3 x >'$(touch pwned).sh'; echo python3 x >'`touch pwned`.sh'; echo python3 x >'\"; touch pwned; \".sh'; echo python3 x >\"'; touch pwned; '.sh\"; echo python3 x >'|touch pwned|.sh'; printf 'python3 x\\n' >'\n1e touch pwned\n.sh'",
    ),
    held_up(
        TEXT,
        By::Root,
        "words in a value of an env file",
        "echo 'LOG_LEVEL=\"$(touch /root/pwned)\"' >>$E/backend.env; echo 'REDIS_DB=`touch /root/pwned`' >>$E/backend.env; echo \"DATA_DIR=';touch /root/pwned;'\" >>$E/backend.env",
    ),
    held_up(
        TEXT,
        By::Root,
        "words in a setting of a unit",
        "mkdir -p /etc/systemd/system/quantum-backend.service.d; printf '[Unit]\\nDescription=$(touch /root/pwned) `touch /root/pwned` |e touch /root/pwned\\n[Service]\\nRestartSec=5; touch /root/pwned\\n' >/etc/systemd/system/quantum-backend.service.d/x.conf; systemctl daemon-reload",
    ),
    held_up(
        TEXT,
        By::Qt,
        "words in names below data",
        "mkdir \"$D/\\$(touch pwned)\" \"$D/backups/;touch pwned;\"; touch \"$M/archive/\\$(touch pwned).pth\" \"$M/archive/;touch pwned;.pth\"",
    ),
    held_up(
        TEXT,
        By::Qt,
        "words of git in its configuration",
        "cd $R; git config remote.origin.url \"ext::sh -c 'touch% /root/pwned'\"; git config core.sshCommand 'touch /root/pwned'; git config core.fsmonitor 'touch /root/pwned; false'; git config alias.status '!touch /root/pwned'; git config core.pager 'touch /root/pwned'",
    ),
    // ---- read it first --------------------------------------------------------------------------
    Attack {
        verbs: &[
            "cd $R; env -u GOLDEN_CONTRACT golden fix --yes",
            "cd $R; env -u GOLDEN_CONTRACT golden apply --yes",
            "cd $R/ops; env -u GOLDEN_CONTRACT golden apply --undo",
        ],
        ..held_unmended(
            FIRST,
            "a contract of the user's in the repository, where root stands",
            "golden contract show --text | sed 's/^user = .*/user = \"root\"/; s/^owner = \"root\"/owner = \"qt\"/' >$R/golden.toml",
        )
    },
    Attack {
        before: "mkdir -p /etc/golden; golden contract show --text >/etc/golden/golden.toml; golden contract show --text >/home/qt/quantum_trader/golden.toml; chown qt:qt /home/qt/quantum_trader/golden.toml",
        verbs: &[
            "env -u GOLDEN_CONTRACT golden audit",
            "env -u GOLDEN_CONTRACT golden fix --yes",
            "env -u GOLDEN_CONTRACT golden apply --yes",
        ],
        ..of(
            FIRST,
            By::Qt,
            "the source of the installed contract is edited",
            "sed -i 's/^owner = \"root\"/owner = \"qt\"/; s/must_not_write = \\[/must_not_write = [ \"\\/nowhere\",/' $R/golden.toml",
        )
    },
    Attack {
        before: "mkdir -p /etc/golden; golden contract show --text >/etc/golden/golden.toml",
        verbs: &[
            "env -u GOLDEN_CONTRACT golden audit",
            "env -u GOLDEN_CONTRACT golden fix --yes",
            "env -u GOLDEN_CONTRACT golden apply --yes",
        ],
        ..of(
            FIRST,
            By::Qt,
            "the source of the installed contract is /etc/shadow",
            "ln -s /etc/shadow $R/golden.toml",
        )
    },
    Attack {
        before: "mkdir -p /etc/golden; golden contract show --text >/etc/golden/golden.toml",
        verbs: &[
            "env -u GOLDEN_CONTRACT golden audit",
            "env -u GOLDEN_CONTRACT golden fix --yes",
            "cd $R; timeout 50 env -u GOLDEN_CONTRACT golden audit",
        ],
        ..of(FIRST, By::Qt, "the source of the installed contract is a FIFO", "mkfifo $R/golden.toml")
    },
    // ---- a stranger's tree ------------------------------------------------------------------------
    of(
        TREES,
        By::Mallory,
        "clones with names of the shell's",
        "for name in 'a;touch pwned' '$(touch pwned)' '`touch pwned`' '|touch pwned' '&touch pwned&' \"';touch pwned;'\" '\";touch pwned;\"'; do $CLONE \"/home/mallory/$name\"; done",
    ),
    of(
        TREES,
        By::Mallory,
        "clones with names of options",
        "for name in -x --help -rf --reference=/etc/shadow -- ' ' '*' '~' '-h; touch pwned'; do $CLONE \"/home/mallory/$name\"; done",
    ),
    of(
        TREES,
        By::Mallory,
        "clones with names of several lines",
        "$CLONE \"/home/mallory/$(printf 'a\\ntouch pwned\\nb')\"; $CLONE \"/home/mallory/$(printf 'a\\r\\t\\v')\"; $CLONE \"/home/mallory/$(printf '\\n\\n')x\"",
    ),
    of(
        TREES,
        By::Mallory,
        "a clone whose files are root's",
        "$CLONE /home/mallory/x; cd /home/mallory/x; rm -rf .git/config .git/HEAD; ln -s /etc/shadow .git/config; ln -s /root/.ssh/id_rsa .git/HEAD; ln -s /etc etc; ln -s /root root",
    ),
    of(
        TREES,
        By::Mallory,
        "a clone that is a link to the repository",
        "ln -s $R /home/mallory/x; mkdir /home/mallory/y; ln -s $R/.git /home/mallory/y/.git; printf 'gitdir: %s/.git\\n' $R >/home/mallory/.git",
    ),
    of(
        TREES,
        By::Mallory,
        "the home is a clone of the repository",
        "cd /home/mallory; git init --quiet .; git remote add origin https://github.com/binyaminsemerci-ops/quantum_trader.git",
    ),
    of(
        TREES,
        By::Mallory,
        "a clone that comes and goes",
        "$CLONE /home/mallory/x; mkdir /home/mallory/empty; $RACE 20 /home/mallory/x /home/mallory/empty",
    ),
    // ---- names that block -----------------------------------------------------------------------
    of(
        BLOCKS,
        By::Mallory,
        "FIFOs for git's files",
        "$CLONE /home/mallory/x; cd /home/mallory/x/.git; rm -f config HEAD index packed-refs; mkfifo config HEAD index packed-refs; mkdir /home/mallory/y; mkfifo /home/mallory/y/.git",
    ),
    of(
        BLOCKS,
        By::Mallory,
        "bytes that are no UTF-8",
        "cd /home/mallory; for bytes in '\\377' '\\300\\257' 'a\\200b' '\\355\\240\\200'; do $CLONE \"$(printf \"$bytes\")\"; done",
    ),
    of(
        BLOCKS,
        By::Mallory,
        "names as long as can be",
        "cd /home/mallory; long=$(printf %0255d 0); for n in $(seq 20); do mkdir $long && cd -P $long; done; git init --quiet . ; cd /home/mallory; $CLONE $long-; $CLONE $(printf %0254d 1)",
    ),
    of(
        BLOCKS,
        By::Mallory,
        "more directories than anybody searches",
        "cd /home/mallory; python3 -c 'import os\nfor a in range(60):\n  os.mkdir(str(a))\n  for b in range(1000): os.mkdir(f\"{a}/{b}\")'",
    ),
    of(
        BLOCKS,
        By::Mallory,
        "directories that nobody may enter",
        "mkdir -p /home/mallory/x/.git /home/mallory/y; chmod 0 /home/mallory/x/.git /home/mallory/y /home/mallory",
    ),
    held_up(
        BLOCKS,
        By::Qt,
        "FIFOs for scripts",
        "mkfifo $R/ops/x.sh $R/ops/y; mv $R/ops/run.sh $R/ops/away; mkfifo $R/ops/run.sh",
    ),
    held_up(
        BLOCKS,
        By::Qt,
        "a FIFO for the Makefile",
        "rm $R/Makefile; mkfifo $R/Makefile; mkfifo $R/GNUmakefile",
    ),
    held_up(
        BLOCKS,
        By::Qt,
        "names that are no UTF-8 in the repository and data",
        "cd $R/ops; echo python3 x >\"$(printf '\\377.sh')\"; mkdir \"$D/$(printf '\\300')\"; touch \"$M/archive/$(printf '\\377').pth\"",
    ),
    held_up(
        BLOCKS,
        By::Qt,
        "names of options in the repository and data",
        "cd $R/ops; echo python3 x >./-x.sh; echo python3 x >./--help.sh; mkdir -- $D/-rf; touch -- $M/archive/-x.pth",
    ),
    held_up(
        BLOCKS,
        By::Qt,
        "long names in the repository",
        "cd $R/ops; echo python3 x >$(printf %0252d 0).sh; d=$(printf %0255d 0); for n in $(seq 18); do mkdir $d && cd -P $d; done; echo python3 x >x.sh",
    ),
    held_up(
        BLOCKS,
        By::Qt,
        "sockets and FIFOs below data",
        "rm -rf $D/backups; mkfifo $D/backups; python3 -c 'import socket,os; os.chdir(\"/opt/quantum/data\"); socket.socket(socket.AF_UNIX).bind(\"sock\")'; rm -rf $M/shadow; mkfifo $M/shadow",
    ),
    // ---- races -----------------------------------------------------------------------------------
    held_up(
        RACES,
        By::Qt,
        "backups changes places with a link to /etc",
        "rmdir $D/backups; ln -s /etc $D/x; mkdir -m 0700 $D/backups; $RACE 45 $D/backups $D/x",
    ),
    held_up(
        RACES,
        By::Qt,
        "the wrapper changes places with a link to root's key",
        "chmod 0644 $R/ops/run.sh; ln -s /root/.ssh/id_rsa $R/ops/x; $RACE 45 $R/ops/run.sh $R/ops/x",
    ),
    held_up(
        RACES,
        By::Qt,
        "ops changes places with a link to root's ops",
        "chmod 0644 $R/ops/run.sh; ln -s /root/ops $R/x; $RACE 45 $R/ops $R/x",
    ),
    held_up(
        RACES,
        By::Qt,
        "the Makefile changes places with a link to /etc/passwd",
        "sed -i 's,./ops/run.sh,python3,' $R/Makefile; ln -s /etc/passwd $R/x; $RACE 45 $R/Makefile $R/x",
    ),
    held_up(
        RACES,
        By::Qt,
        "the repository changes places with a link to /root",
        "chmod 0644 $R/ops/run.sh; ln -s /root /home/qt/x; $RACE 45 $R /home/qt/x",
    ),
    held_up(
        RACES,
        By::Qt,
        "the database changes places with a link to /etc/shadow",
        "ln -s /etc/shadow $D/x; $RACE 45 $D/quantum_trader.db $D/x",
    ),
    held_up(
        RACES,
        By::Qt,
        "the new file changes places with a link",
        "chmod 0644 $R/ops/run.sh; sed -i 's,./ops/run.sh,python3,' $R/Makefile; ln -s /root/pwned $R/x; $RACE 45 $R/.Makefile.golden-new $R/x",
    ),
    Attack {
        before: "mkdir -p /etc/golden; golden contract show --text >/etc/golden/golden.toml",
        verbs: &[
            "cd $R; for n in $(seq 60); do env -u GOLDEN_CONTRACT golden audit --quiet --format json 2>/dev/null | grep -o FORGED | head -1; done",
            "cd $R; env -u GOLDEN_CONTRACT golden fix --yes",
        ],
        ..of(
            RACES,
            By::Qt,
            "the contract in the repository changes places with a link to root's",
            "sed 's/^name = \"quantum\"/name = \"FORGED\"/' /etc/golden/golden.toml >$R/golden.toml; ln -s /etc/golden/golden.toml $R/x; $RACE 45 $R/golden.toml $R/x",
        )
    },
    // ---- undo --------------------------------------------------------------------------------------
    Attack {
        verbs: &[
            "golden fix --yes",
            "runuser -u qt -- sh -c 'rm -rf /opt/quantum/data/backups; ln -s /etc /opt/quantum/data/backups'",
            "golden apply --undo",
        ],
        ..of(UNDO, By::Qt, "a directory that was made becomes a link to /etc", "rmdir $D/backups")
    },
    Attack {
        verbs: &[
            "golden fix --yes",
            "runuser -u qt -- sh -c 'ln -sf /root/.ssh/id_rsa /home/qt/quantum_trader/ops/run.sh'",
            "golden apply --undo",
        ],
        ..of(UNDO, By::Qt, "the wrapper that was changed becomes root's key", "chmod 0644 $R/ops/run.sh")
    },
    Attack {
        verbs: &[
            "golden fix --yes",
            "runuser -u qt -- sh -c 'cd /home/qt/quantum_trader; mv ops o; ln -s /root/ops ops; rm -f Makefile; mkfifo Makefile'",
            "golden apply --undo",
        ],
        ..of(
            UNDO,
            By::Qt,
            "ops becomes a link and the Makefile a FIFO",
            "chmod 0644 $R/ops/run.sh; sed -i 's,./ops/run.sh,python3,' $R/Makefile",
        )
    },
    Attack {
        verbs: &[
            "golden fix --yes",
            "timeout 40 golden apply --undo",
            "golden fix --yes",
            "golden apply --undo",
        ],
        ..of(
            UNDO,
            By::Qt,
            "ops changes places with a link during the undo",
            "chmod 0644 $R/ops/run.sh; sed -i 's,./ops/run.sh,python3,' $R/Makefile; ln -s /root/ops $R/x; (sleep 3; $RACE 40 $R/ops $R/x) & :",
        )
    },
    // ---- escape sequences ---------------------------------------------------------------------------
    of(
        ESCAPES,
        By::Mallory,
        "clones whose names forge a verdict",
        "cd /home/mallory; for name in '\\033[2J\\033[1;1H' '\\nFORGED COMPLIANT\\n' '\\rFORGED COMPLIANT' '\\302\\233\\063\\061m' '\\342\\200\\256FORGED'; do $CLONE \"$(printf \"x$name-\")\"; done",
    ),
    of(
        ESCAPES,
        By::Qt,
        "names in the repository that forge a verdict",
        "cd $R/ops; for name in '\\033[2J' '\\nFORGED COMPLIANT\\n' '\\302\\2331m' '\\342\\200\\256'; do echo python3 x >\"$(printf \"x$name.sh\")\"; done; chmod 0644 run.sh",
    ),
    of(
        ESCAPES,
        By::Qt,
        "words of the Makefile and of scripts that forge a verdict",
        "printf 'quality-gate:\\n\\tpython3 \\033[2J\\302\\2331m\\342\\200\\256x\\r\\033]0;FORGED\\007\\n' >>$R/Makefile; printf 'python3 \"\\nFORGED COMPLIANT\\033[2J\\302\\2331m\\n\"\\n' >$R/ops/more.sh",
    ),
    of(
        ESCAPES,
        By::Qt,
        "links and data whose names forge a verdict",
        "rm -rf $D/backups; ln -s \"$(printf '/x\\033[2J\\nFORGED COMPLIANT\\n\\302\\2331m/y')\" $D/backups; touch \"$M/archive/$(printf 'x\\033[2J\\nFORGED COMPLIANT\\n').pth\"",
    ),
    of(
        ESCAPES,
        By::Qt,
        "git's remote, branch and HEAD that forge a verdict",
        "cd $R; git config remote.origin.url \"$(printf 'https://x/\\033[2J\\nFORGED COMPLIANT\\n\\302\\2331m')\"; printf 'ref: refs/heads/\\033[2J\\302\\2331m\\n' >.git/HEAD",
    ),
    of(
        ESCAPES,
        By::Root,
        "settings and values that forge a verdict",
        "printf 'LOG_LEVEL=\\033[2J\\302\\2331m\\342\\200\\256x\\n' >>$E/backend.env; mkdir -p /etc/systemd/system/quantum-backend.service.d; printf '[Unit]\\nDescription=\\033[2J\\302\\2331m\\342\\200\\256x\\nAfter=docker.service\\n' >/etc/systemd/system/quantum-backend.service.d/x.conf; systemctl daemon-reload",
    ),
    Attack {
        verbs: READ,
        before: "systemctl stop redis-server",
        ..of(
            ESCAPES,
            By::Qt,
            "replies of Redis that forge a verdict",
            "python3 /attack/redis.py bulk & sleep 1",
        )
    },
    Attack {
        verbs: READ,
        before: "systemctl stop redis-server",
        ..of(
            ESCAPES,
            By::Mallory,
            "errors of Redis that forge a verdict",
            "python3 /attack/redis.py error & sleep 1",
        )
    },
    // ---- slow or huge --------------------------------------------------------------------------------
    Attack {
        before: "systemctl stop redis-server",
        ..of(HUGE, By::Qt, "Redis says a byte a second", "python3 /attack/redis.py slow & sleep 1")
    },
    Attack {
        verbs: READ,
        before: "systemctl stop redis-server",
        ..of(HUGE, By::Qt, "Redis says nothing", "python3 /attack/redis.py silent & sleep 1")
    },
    Attack {
        verbs: READ,
        before: "systemctl stop redis-server",
        ..of(HUGE, By::Qt, "Redis says half a gigabyte", "python3 /attack/redis.py endless & sleep 1")
    },
    Attack {
        verbs: READ,
        before: "systemctl stop redis-server",
        ..of(HUGE, By::Mallory, "Redis says lists in lists", "python3 /attack/redis.py deep & sleep 1")
    },
    Attack {
        verbs: READ,
        before: "systemctl stop redis-server",
        ..of(HUGE, By::Mallory, "Redis says a list without end", "python3 /attack/redis.py many & sleep 2")
    },
    of(
        HUGE,
        By::Qt,
        "sparse files of three gigabytes",
        "truncate -s 3G $R/Makefile $R/ops/run.sh $R/ops/more.sh; truncate -s 3G $R/requirements/backend.txt $R/.env; chmod 0644 $R/ops/run.sh",
    ),
    of(
        HUGE,
        By::Qt,
        "git's files have three gigabytes",
        "cd $R/.git; truncate -s 3G index config HEAD packed-refs",
    ),
    of(
        HUGE,
        By::Qt,
        "the database has three gigabytes",
        "rm -f $D/quantum_trader.db-wal $D/quantum_trader.db-shm; truncate -s 3G $D/quantum_trader.db; chmod 0666 $D/quantum_trader.db",
    ),
    of(HUGE, By::Qt, "FIFOs beside the database", "mkfifo $D/quantum_trader.db-journal"),
    of(
        HUGE,
        By::Qt,
        "a FIFO for the database",
        "rm -f $D/quantum_trader.db*; mkfifo $D/quantum_trader.db $D/quantum_trader.db-wal $D/quantum_trader.db-shm",
    ),
    of(
        HUGE,
        By::Qt,
        "a hundred scripts of a|a|a",
        "cd $R/ops; python3 -c 'for n in range(100): open(f\"x{n}.sh\", \"w\").write(\"#!/bin/sh\\n\" + \"a|\" * 520000)'",
    ),
    of(
        HUGE,
        By::Qt,
        "a Makefile of eight megabytes of targets",
        "python3 -c 'print(\"\\n\".join(f\"a{n}:\\n\\tpython3 x\" for n in range(450000)))' >>$R/Makefile",
    ),
    of(
        HUGE,
        By::Qt,
        "a wrapper of sixty megabytes",
        "python3 -c 'print(\"#!/bin/sh\"); [print(\"# \" + \"x\" * 1020) for n in range(60000)]' >$R/ops/run.sh; chmod 0644 $R/ops/run.sh",
    ),
    of(
        HUGE,
        By::Qt,
        "two hundred thousand files in the repository and data",
        "python3 -c 'import os\nfor d in [\"/home/qt/quantum_trader/ops/many\", \"/opt/quantum/ai_engine/models/shadow\"]:\n  os.makedirs(d, exist_ok=True)\n  for n in range(100000): os.close(os.open(f\"{d}/{n}.sh\", os.O_CREAT | os.O_WRONLY))'",
    ),
    // ---- behind the limit --------------------------------------------------------------------------------
    Attack {
        seen: true,
        verbs: READ,
        ..of(
            LIMIT,
            By::Qt,
            "a call after a megabyte of comments in a script",
            "python3 -c 'print(\"#!/bin/sh\"); [print(\"# \" + \"x\" * 1020) for n in range(1200)]; print(\"python3 /home/qt/quantum_trader/x.py\")' >$R/ops/long.sh; chmod 0755 $R/ops/long.sh",
        )
    },
    Attack {
        seen: true,
        verbs: READ,
        ..of(
            LIMIT,
            By::Qt,
            "a recipe after nine megabytes of comments in the Makefile",
            "python3 -c '[print(\"# \" + \"x\" * 1020) for n in range(9200)]; print(\"quality-gate:\\n\\tpython3 x.py\")' >>$R/Makefile",
        )
    },
    Attack {
        seen: true,
        verbs: READ,
        ..of(
            LIMIT,
            By::Qt,
            "a call after a megabyte on one line",
            "python3 -c 'print(\"#!/bin/sh\\n: \" + \"x\" * 1100000 + \"; python3 x.py\")' >$R/ops/long.sh; chmod 0755 $R/ops/long.sh",
        )
    },
    Attack {
        seen: true,
        verbs: READ,
        ..of(
            LIMIT,
            By::Root,
            "a bypass after nine megabytes in a crontab",
            "python3 -c '[print(\"# \" + \"x\" * 1020) for n in range(9200)]; print(\"* * * * * qt python3 /home/qt/quantum_trader/ops/training/train_patchtst.py\")' >/etc/cron.d/long",
        )
    },
    // ---- git's files ------------------------------------------------------------------------------------------
    held_up(GIT, By::Qt, "HEAD is /etc/shadow", "ln -sf /etc/shadow $R/.git/HEAD"),
    held_up(
        GIT,
        By::Qt,
        "HEAD names root's key",
        "echo 'ref: ../../../../root/.ssh/id_rsa' >$R/.git/HEAD; ln -s /root/.ssh/id_rsa $R/.git/refs/heads/main2",
    ),
    held_up(
        GIT,
        By::Qt,
        "a branch is root's key",
        "ln -sf /root/.ssh/id_rsa $R/.git/refs/heads/main; ln -sf /etc/shadow $R/.git/packed-refs",
    ),
    held_up(GIT, By::Qt, ".git is a link", "mv $R/.git $R/g; ln -s /root $R/.git"),
    held_up(
        GIT,
        By::Qt,
        ".git names a directory of root's",
        "mv $R/.git $R/g; echo 'gitdir: /root/.ssh' >$R/.git",
    ),
    held_up(GIT, By::Qt, "the configuration is /etc/shadow", "ln -sf /etc/shadow $R/.git/config"),
    held_up(
        GIT,
        By::Qt,
        "the configuration includes /etc/shadow",
        "printf '[include]\\n\\tpath = /etc/shadow\\n\\tpath = /root/.ssh/id_rsa\\n[includeIf \"gitdir:/\"]\\n\\tpath = /root/.ssh/id_rsa\\n' >>$R/.git/config",
    ),
    held_up(GIT, By::Qt, "the index is a FIFO", "rm $R/.git/index; mkfifo $R/.git/index"),
    held_up(GIT, By::Qt, "the index is /etc/shadow", "ln -sf /etc/shadow $R/.git/index"),
    held_up(
        GIT,
        By::Qt,
        "all of git's files are FIFOs",
        "cd $R/.git; rm -f HEAD config packed-refs; mkfifo HEAD config packed-refs commondir",
    ),
    held_up(GIT, By::Qt, "commondir names a directory of root's", "echo /root/.ssh >$R/.git/commondir"),
    // ---- rights that survive ----------------------------------------------------------------------------------------
    Attack {
        before: "chown qt:qt $E/backend.env; chmod 0660 $E/backend.env",
        after: "! grep -q pwned $E/backend.env && test \"$(stat -c %U:%a $E/backend.env)\" = root:640",
        verbs: &["golden fix --yes", "sleep 1; touch /tmp/go; sleep 2"],
        ..of(
            RIGHTS,
            By::Qt,
            "an env file that is held open",
            "exec 3>>$E/backend.env; (while [ ! -e /tmp/go ]; do sleep 0.1; done; echo AUTO_ACTIVATION=pwned >&3) & :",
        )
    },
    Attack {
        before: "mkdir -p /etc/golden; cp $R/Makefile /etc/quantum/x; chown qt:qt $E",
        after: "test \"$(stat -c %U:%a $E)\" = root:755; ! runuser -u qt -- sh -c 'echo x >/etc/quantum/pwned' 2>/dev/null",
        verbs: &["golden fix --yes"],
        ..of(
            RIGHTS,
            By::Qt,
            "a list of access on a directory that changes hands",
            "python3 -c 'import os, struct\ne=struct.Struct(\"<HHI\"); me=os.getuid()\na=struct.pack(\"<I\",2)+b\"\".join(e.pack(*x) for x in [(1,7,2**32-1),(2,7,me),(4,5,2**32-1),(16,7,2**32-1),(32,5,2**32-1)])\nos.setxattr(\"/etc/quantum\",\"system.posix_acl_access\",a); os.setxattr(\"/etc/quantum\",\"system.posix_acl_default\",a)'; rm -f $E/x",
        )
    },
    Attack {
        before: "rm -rf $V/backend; systemctl stop quantum-backend",
        after: "test -z \"$(find $V/backend ! -user root -print -quit)\" && ! runuser -u qt -- sh -c 'find /opt/quantum/venvs/backend -writable ! -type l | grep -q .' && ! grep -rq pwned $V/backend --include=*.py && test -x $V/backend/bin/python",
        verbs: &["golden apply --yes --wheelhouse /attack/wheelhouse"],
        ..of(
            RIGHTS,
            By::Qt,
            "a venv is held open and given lists while it is made",
            "python3 /attack/venv.py /opt/quantum/venvs/backend 40 >/tmp/held 2>&1 & :",
        )
    },
    Attack {
        before: "chown qt:qt $V/backend/pyvenv.cfg",
        after: "! grep -q pwned $V/backend/pyvenv.cfg || test \"$(stat -c %U $V/backend/pyvenv.cfg)\" = qt",
        verbs: &["golden fix --yes", "touch /tmp/go; sleep 2"],
        ..of(
            RIGHTS,
            By::Qt,
            "a file of a venv that is held open",
            "exec 3>>$V/backend/pyvenv.cfg; (while [ ! -e /tmp/go ]; do sleep 0.1; done; echo '# pwned' >&3) & :",
        )
    },
];

const fn held_unmended(kind: &'static str, name: &'static str, plant: &'static str) -> Attack {
    Attack { before: OPEN, ..of(kind, By::Qt, name, plant) }
}
