//! Attacks on what starts jobs and on rehearsals: `golden run`, `golden job` and `golden rehearse`, called by root. A job is
//! the service's user's and may do what that user may; nothing else may come of it. The variables are those of the table.

use super::table::{Attack, By, of};

const LINKS: &str = "jobs: a link in the user's directory";
const FILES: &str = "jobs: a link as the file itself";
const NAMES: &str = "jobs: predictable names";
const TEXT: &str = "jobs: text in another language";
const FIRST: &str = "jobs: read it first";
const BLOCKS: &str = "jobs: a name that blocks";
const RACES: &str = "jobs: check by name, read again by name";
const ESCAPES: &str = "jobs: escape sequences";
const HUGE: &str = "jobs: slow or huge answers";
const GIT: &str = "jobs: git's own files";
const RIGHTS: &str = "jobs: rights that survive";

/// Every way to start a script, and to look at what it would get. The copy of the host is laid and not booted.
const ALL: &[&str] = &[
    "golden run ai-engine ops/x.py",
    "golden run --as-unit ai-engine ops/x.py",
    "golden run --print-env ai-engine",
    "golden run --preflight-only ai-engine",
    "golden job train-patchtst --help",
    "golden job --as-unit train-patchtst --help",
    REHEARSE,
    JOURNAL,
];

/// Without the script itself, which is the user's own program and may read what it likes.
const LOOKS: &[&str] =
    &["golden run --print-env ai-engine", "golden run --preflight-only ai-engine", REHEARSE];

const REHEARSE: &str = "golden rehearse --copy-host --calm";
const JOURNAL: &str =
    "journalctl --no-pager --output=cat --since=-60s | head -c 100000 | tr -d '\\000-\\010\\013-\\037'; true";

/// A script of the user's that does nothing.
const SCRIPT: &str = "echo 'print(1)' >$R/ops/x.py";

const fn job(kind: &'static str, by: By, name: &'static str, plant: &'static str) -> Attack {
    Attack { verbs: ALL, ..of(kind, by, name, plant) }
}

/// Every attack, kind by kind.
pub const JOBS: &[Attack] = &[
    // ---- links --------------------------------------------------------------------------------
    job(LINKS, By::Qt, "ops leads to root's ops", "mv $R/ops $R/away; ln -s /root/ops $R/ops"),
    job(LINKS, By::Qt, "the repository leads to /root", "mv $R $R.away; ln -s /root $R"),
    job(
        LINKS,
        By::Qt,
        "the repository leads to a directory of root's with git files of the user's",
        "mkdir -p /tmp/.git/refs /tmp/.git/objects; cp -r $R/.git/. /tmp/.git; printf '[core]\\n\\tfsmonitor = touch /root/pwned\\n\\tsshCommand = touch /root/pwned\\n[uploadpack]\\n\\tpackObjectsHook = touch /root/pwned\\n' >>/tmp/.git/config; mv $R $R.away; ln -s /tmp $R",
    ),
    job(LINKS, By::Qt, "data leads to /etc", "mv $D/backups $D/b; ln -s /etc $D/backups"),
    repository(
        LINKS,
        "what is rendered: the repository leads to root's",
        "mv $R $R.away; ln -s /root/ops $R",
    ),
    repository(
        LINKS,
        "what is rendered: its directories lead to root's",
        "for name in docs ops systemd; do mv $R/$name $R/$name.away; done; ln -s /root/ops $R/docs; ln -s /root/ops $R/ops; ln -s /etc/systemd $R/systemd",
    ),
    repository(
        NAMES,
        "what is rendered: links where new files are written",
        "rm -f $R/Makefile $R/ops/run.sh; ln -s /root/pwned $R/.Makefile.golden-new; ln -s /root/pwned $R/ops/.run.sh.golden-new; ln -s /root/pwned $R/.golden.toml.golden-new",
    ),
    repository(
        RACES,
        "what is rendered: ops changes places with a link to root's ops",
        "ln -s /root/ops $R/y; $RACE 50 $R/ops $R/y",
    ),
    repository(
        RACES,
        "what is rendered: the repository changes places with a link to root's",
        "ln -s /root/ops /home/qt/y; $RACE 50 $R /home/qt/y",
    ),
    // ---- files --------------------------------------------------------------------------------
    job(FILES, By::Qt, "the script is root's key", "ln -sf /root/.ssh/id_rsa $R/ops/x.py"),
    job(
        FILES,
        By::Qt,
        "the script is /etc/shadow",
        "ln -sf /etc/shadow $R/ops/x.py; ln -sf /etc/shadow $R/ops/training/train_patchtst.py",
    ),
    job(FILES, By::Qt, "the script is a process's environment", "ln -sf /proc/self/environ $R/ops/x.py"),
    Attack {
        before: "echo 'print(1)' >$R/ops/x.py; chown qt: $R/ops/x.py; rm $E/ai-engine.env; ln -s /etc/shadow $E/ai-engine.env",
        ..job(FILES, By::Root, "the env file is /etc/shadow", "true")
    },
    Attack {
        before: "echo 'print(1)' >$R/ops/x.py; chown qt: $R/ops/x.py; cp $E/ai-engine.env /home/carol/e; chown carol: /home/carol/e; chmod 600 /home/carol/e; rm $E/ai-engine.env; ln -s /home/carol/letter $E/ai-engine.env",
        ..job(FILES, By::Root, "the env file is somebody's letter", "true")
    },
    // ---- names --------------------------------------------------------------------------------
    Attack {
        before: "rm -rf /run/golden; mkdir -m 1777 /run/golden",
        ..job(
            NAMES,
            By::Mallory,
            "the directory of locks is a stranger's",
            "mkdir -m 0777 /run/golden/qt; ln -s /root/pwned /run/golden/qt/quantum.train-patchtst.lock",
        )
    },
    Attack {
        before: "rm -rf /run/golden; mkdir -m 1777 /run/golden",
        ..job(NAMES, By::Mallory, "the directory of locks is a link", "ln -s /root/ops /run/golden/qt")
    },
    Attack {
        before: "rm -rf /run/golden; mkdir -m 0755 /run/golden; install -d -o mallory -m 0777 /run/golden/qt",
        ..job(
            NAMES,
            By::Mallory,
            "the user's directory of locks is a stranger's",
            "ln -s /root/pwned /run/golden/qt/quantum.train-patchtst.lock; ln -s /root/pwned /run/golden/qt/quantum.build-patchtst-dataset.lock",
        )
    },
    Attack {
        before: "rm -rf /run/golden; install -d -m 0755 /run/golden; install -d -o qt -g qt -m 0700 /run/golden/qt",
        ..job(
            NAMES,
            By::Qt,
            "a lock is a link into nothing of root's",
            "for job in train-patchtst build-patchtst-dataset ops_x.py; do ln -s /root/pwned /run/golden/qt/quantum.$job.lock; done",
        )
    },
    Attack {
        before: "rm -rf /run/golden; install -d -m 0755 /run/golden; install -d -o qt -g qt -m 0700 /run/golden/qt",
        ..job(
            NAMES,
            By::Qt,
            "a lock is a FIFO or a directory",
            "mkfifo /run/golden/qt/quantum.train-patchtst.lock; mkdir /run/golden/qt/quantum.build-patchtst-dataset.lock",
        )
    },
    // ---- text ---------------------------------------------------------------------------------
    Attack {
        verbs: &[
            "cd $R/ops; for name in *pwned*; do golden run ai-engine \"ops/$name\"; golden run --as-unit ai-engine \"ops/$name\"; done",
            "golden run ai-engine ops/x.py '$(touch /root/pwned)' '%n' '${HOME}' ';touch /root/pwned'",
            "golden run --as-unit ai-engine ops/x.py '$(touch /root/pwned)' '%n' '${HOME}' ';touch /root/pwned' '\\x3btouch'",
            JOURNAL,
        ],
        ..of(
            TEXT,
            By::Qt,
            "words of the shell in a script's name and in arguments",
            "echo 'import sys; sys.exit(0)' >$R/ops/x.py; cd $R/ops; for name in '$(touch pwned).py' '`touch pwned`.py' ';touch pwned;.py' '\"; touch pwned; \".py' '%n pwned.py' '-pwned.py'; do echo 'print(1)' >\"./$name\"; done",
        )
    },
    Attack {
        before: "printf '%s\\n' 'NOTE_A=$(touch /root/pwned)' 'NOTE_B=`touch /root/pwned`' 'NOTE_C=;touch /root/pwned' 'NOTE_D=%n ${HOME}' >>$E/ai-engine.env",
        ..job(TEXT, By::Qt, "words of the shell in an env file", SCRIPT)
    },
    job(
        TEXT,
        By::Qt,
        "words of git in the configuration",
        "echo 'print(1)' >$R/ops/x.py; cd $R; git config core.sshCommand 'touch /root/pwned'; git config core.fsmonitor 'touch /root/pwned; false'; git config core.pager 'touch /root/pwned'; git config uploadpack.packObjectsHook 'touch /root/pwned'; git config core.alternateRefsCommand 'touch /root/pwned'; git config core.hooksPath /home/qt/hooks; mkdir /home/qt/hooks; for hook in pre-auto-gc reference-transaction post-checkout; do printf '#!/bin/sh\\ntouch /root/pwned\\n' >/home/qt/hooks/$hook; chmod 0755 /home/qt/hooks/$hook; done",
    ),
    // ---- read it first ------------------------------------------------------------------------
    Attack {
        verbs: &[
            "cd $R; env -u GOLDEN_CONTRACT golden job evil",
            "cd $R; env -u GOLDEN_CONTRACT golden run ai-engine ops/x.py",
            "cd $R; env -u GOLDEN_CONTRACT golden run --as-unit ai-engine ops/x.py",
            "cd $R; env -u GOLDEN_CONTRACT golden rehearse --copy-host --calm",
        ],
        ..of(
            FIRST,
            By::Qt,
            "a contract of the user's where root stands",
            "printf 'open(\"/root/pwned\",\"w\")\\n' >$R/ops/x.py; printf 'schema = 1\\nextends = \"quantum\"\\n[identity]\\nuser = \"root\"\\ngroup = \"root\"\\n[jobs.evil]\\nservice = \"ai-engine\"\\nscript = \"ops/x.py\"\\n' >$R/golden.toml",
        )
    },
    Attack {
        verbs: &[
            "cd $R; timeout 50 env -u GOLDEN_CONTRACT golden run ai-engine ops/x.py",
            "cd $R; timeout 50 env -u GOLDEN_CONTRACT golden job train-patchtst --help",
        ],
        ..of(
            FIRST,
            By::Qt,
            "the contract where root stands is a FIFO",
            "mkfifo $R/golden.toml; echo 'print(1)' >$R/ops/x.py",
        )
    },
    Attack {
        verbs: &[
            "cd $R; env -u GOLDEN_CONTRACT golden run ai-engine ops/x.py",
            "cd $R; env -u GOLDEN_CONTRACT golden run --print-env ai-engine",
            "cd $R; env -u GOLDEN_CONTRACT golden job train-patchtst --help",
        ],
        ..of(
            FIRST,
            By::Qt,
            "the contract where root stands is /etc/shadow",
            "ln -s /etc/shadow $R/golden.toml; echo 'print(1)' >$R/ops/x.py",
        )
    },
    // ---- names that block ---------------------------------------------------------------------
    Attack {
        verbs: ALL,
        ..of(
            BLOCKS,
            By::Qt,
            "a FIFO for the script",
            "mkfifo $R/ops/x.py; rm $R/ops/training/train_patchtst.py; mkfifo $R/ops/training/train_patchtst.py",
        )
    },
    Attack {
        verbs: ALL,
        ..of(
            BLOCKS,
            By::Qt,
            "FIFOs for git's files and the database",
            "echo 'print(1)' >$R/ops/x.py; cd $R/.git; rm -f config packed-refs index; mkfifo config packed-refs index commondir; rm -f $D/quantum_trader.db*; mkfifo $D/quantum_trader.db $D/quantum_trader.db-journal",
        )
    },
    Attack {
        before: "echo 'print(1)' >$R/ops/x.py; chown qt: $R/ops/x.py; rm $E/ai-engine.env; mkfifo $E/ai-engine.env",
        ..job(BLOCKS, By::Root, "a FIFO for the env file", "true")
    },
    Attack {
        verbs: &[
            "cd $R/ops; for name in ./*.x; do timeout 20 golden run ai-engine \"ops/$name\"; timeout 20 golden run ai-engine -- \"ops/${name#./}\"; done; true",
        ],
        ..of(
            BLOCKS,
            By::Qt,
            "names that are no UTF-8, options, or as long as can be",
            "cd $R/ops; echo 'print(1)' >\"$(printf '\\377.x')\"; echo 'print(1)' >./-x.x; echo 'print(1)' >./--as-unit.x; echo 'print(1)' >$(printf %0253d 0).x",
        )
    },
    // ---- races --------------------------------------------------------------------------------
    race(
        "the script changes places with a link to root's key",
        "echo 'print(1)' >$R/ops/x.py; ln -s /root/.ssh/id_rsa $R/ops/y; $RACE 45 $R/ops/x.py $R/ops/y",
    ),
    race(
        "ops changes places with a link to root's ops",
        "echo 'print(1)' >$R/ops/x.py; ln -s /root/ops $R/y; $RACE 45 $R/ops $R/y",
    ),
    race(
        "the repository changes places with a link to /root",
        "echo 'print(1)' >$R/ops/x.py; ln -s /root /home/qt/y; $RACE 45 $R /home/qt/y",
    ),
    Attack {
        verbs: &["for n in 1 2 3 4 5 6; do golden rehearse --copy-host --calm; done"],
        ..of(
            RACES,
            By::Qt,
            "the repository changes places with a link to a tree of root's",
            "mkdir /tmp/.git; cp -r $R/.git/. /tmp/.git; printf '[core]\\n\\tfsmonitor = touch /root/pwned\\n' >>/tmp/.git/config; ln -s /tmp /home/qt/y; $RACE 50 $R /home/qt/y",
        )
    },
    Attack {
        before: "rm -rf /run/golden; install -d -m 0755 /run/golden; install -d -o qt -g qt -m 0700 /run/golden/qt",
        verbs: &[
            "for n in $(seq 15); do golden job train-patchtst --help; golden job --as-unit train-patchtst --help; done; true",
        ],
        ..of(
            RACES,
            By::Qt,
            "a lock changes places with a link",
            "cd /run/golden/qt; (umask 077; touch quantum.train-patchtst.lock); ln -s /root/pwned y; $RACE 50 /run/golden/qt/quantum.train-patchtst.lock /run/golden/qt/y",
        )
    },
    // ---- escape sequences ---------------------------------------------------------------------
    Attack {
        verbs: &[
            "cd $R/ops; for name in *; do golden run ai-engine \"ops/$name\" | tr -d '\\000-\\010\\013-\\037'; done; true",
            JOURNAL,
        ],
        ..of(
            ESCAPES,
            By::Qt,
            "names of scripts that forge a verdict",
            "cd $R/ops; rm -rf training; for name in '\\033[2J' '\\nFORGED COMPLIANT\\n' '\\302\\2331m' '\\342\\200\\256'; do echo 'import sys; sys.exit(1)' >\"$(printf \"x$name.py\")\"; done",
        )
    },
    Attack {
        verbs: &[
            "golden job \"$(printf 'x\\033[2J\\nFORGED COMPLIANT\\n\\302\\2331m')\"",
            "golden run \"$(printf 'x\\033[2J\\nFORGED')\" ops/x.py",
            "golden run ai-engine \"$(printf 'ops/\\033[2J\\nFORGED')\"",
        ],
        ..of(ESCAPES, By::Qt, "words of the command line that forge a verdict", "true")
    },
    Attack {
        before: "printf 'NOTE=\\033[2J\\302\\2331m\\342\\200\\256x\\n' >>$E/ai-engine.env",
        verbs: LOOKS,
        ..of(ESCAPES, By::Qt, "values of the env file that forge a verdict", "true")
    },
    Attack {
        verbs: LOOKS,
        ..of(
            ESCAPES,
            By::Qt,
            "git's remote, branch and HEAD that forge a verdict",
            "cd $R; git config remote.origin.url \"$(printf 'https://x/\\033[2J\\nFORGED COMPLIANT\\n\\302\\2331m')\"; printf 'ref: refs/heads/\\033[2J\\302\\2331m\\n' >.git/HEAD",
        )
    },
    // ---- slow or huge -------------------------------------------------------------------------
    Attack {
        verbs: LOOKS,
        ..of(
            HUGE,
            By::Qt,
            "sparse files of three gigabytes",
            "truncate -s 3G $R/Makefile $R/ops/run.sh $R/ops/x.py $R/ops/training/train_patchtst.py $R/.git/index $R/.git/config $R/.git/packed-refs",
        )
    },
    Attack {
        verbs: LOOKS,
        ..of(
            HUGE,
            By::Qt,
            "the database has three gigabytes",
            "rm -f $D/quantum_trader.db-wal $D/quantum_trader.db-shm; truncate -s 3G $D/quantum_trader.db",
        )
    },
    Attack {
        before: "truncate -s 3G $E/ai-engine.env",
        ..job(HUGE, By::Root, "the env file has three gigabytes", SCRIPT_OF_ROOT)
    },
    Attack {
        verbs: LOOKS,
        ..of(
            HUGE,
            By::Qt,
            "a Makefile of eight megabytes of targets",
            "python3 -c 'print(\"\\n\".join(f\"a{n}:\\n\\tpython3 x\" for n in range(450000)))' >>$R/Makefile",
        )
    },
    Attack {
        before: "systemctl stop redis-server",
        verbs: ANSWERS,
        ..of(HUGE, By::Mallory, "Redis says a byte a second", "python3 /attack/redis.py slow & sleep 1")
    },
    Attack {
        before: "systemctl stop redis-server",
        verbs: ANSWERS,
        ..of(HUGE, By::Mallory, "Redis says half a gigabyte", "python3 /attack/redis.py endless & sleep 1")
    },
    Attack {
        before: "systemctl stop redis-server",
        verbs: ANSWERS,
        ..of(HUGE, By::Qt, "Redis says nothing", "python3 /attack/redis.py silent & sleep 1")
    },
    // ---- git's files --------------------------------------------------------------------------
    job(GIT, By::Qt, "HEAD is /etc/shadow", "echo 'print(1)' >$R/ops/x.py; ln -sf /etc/shadow $R/.git/HEAD"),
    job(
        GIT,
        By::Qt,
        "a branch is root's key",
        "echo 'print(1)' >$R/ops/x.py; ln -sf /root/.ssh/id_rsa $R/.git/refs/heads/main; ln -sf /etc/shadow $R/.git/packed-refs",
    ),
    job(
        GIT,
        By::Qt,
        ".git names a directory of root's",
        "echo 'print(1)' >$R/ops/x.py; mv $R/.git $R/g; echo 'gitdir: /root/.ssh' >$R/.git",
    ),
    job(
        GIT,
        By::Qt,
        "the configuration includes /etc/shadow",
        "echo 'print(1)' >$R/ops/x.py; printf '[include]\\n\\tpath = /etc/shadow\\n\\tpath = /root/.ssh/id_rsa\\n' >>$R/.git/config; printf '/root/ops\\n' >$R/.git/objects/info/alternates",
    ),
    // ---- rights that survive ------------------------------------------------------------------
    Attack {
        before: "exec 9</root/.ssh/id_rsa",
        verbs: &[
            "exec 9</root/.ssh/id_rsa; golden run ai-engine ops/x.py",
            "exec 9</root/.ssh/id_rsa; golden job train-patchtst --help",
            "exec 9</root/.ssh/id_rsa; golden run --as-unit ai-engine ops/x.py",
        ],
        ..of(
            RIGHTS,
            By::Qt,
            "a descriptor of root's",
            "printf 'import os\\nfor n in range(3, 64):\\n  try: print(os.read(n, 999))\\n  except OSError: pass\\n' >$R/ops/x.py",
        )
    },
    Attack {
        verbs: &[
            "SECRET_KEY=CANARY-ENV golden run ai-engine ops/x.py",
            "SECRET_KEY=CANARY-ENV golden run --as-unit ai-engine ops/x.py",
            "SECRET_KEY=CANARY-ENV golden run --print-env ai-engine",
        ],
        ..of(
            RIGHTS,
            By::Qt,
            "a variable of root's",
            "printf 'import os\\nprint(dict(os.environ))\\nfor p in (os.getppid(), 1):\\n  try: print(open(f\"/proc/{p}/environ\").read())\\n  except OSError: pass\\n' >$R/ops/x.py",
        )
    },
    Attack {
        verbs: &[
            "golden run ai-engine ops/x.py; sleep 1; true",
            "golden run --as-unit ai-engine ops/x.py; sleep 1; true",
            "golden job train-patchtst --help; true",
        ],
        after: "! test -e /root/pwned && ! test -e /etc/pwned",
        ..of(
            RIGHTS,
            By::Qt,
            "capabilities, groups and set-id programs",
            "printf 'import os, subprocess\\nfor f in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: open(\"/root/pwned\", \"w\"), lambda: os.chroot(\"/\")):\\n  try: f()\\n  except Exception: pass\\nopen(\"/etc/pwned\", \"w\")\\n' >$R/ops/x.py",
        )
    },
];

const SCRIPT_OF_ROOT: &str = "echo 'print(1)' >$R/ops/x.py; chown qt: $R/ops/x.py";
const ANSWERS: &[&str] = &[
    "golden run --preflight-only ai-engine",
    "golden run ai-engine ops/x.py",
    "golden job train-patchtst --help",
];

/// What writes into the repository.
const fn repository(kind: &'static str, name: &'static str, plant: &'static str) -> Attack {
    Attack {
        verbs: &[
            "for n in 1 2 3 4 5; do golden render --replace --out $R; runuser -u qt -- rm -f /home/qt/quantum_trader/Makefile; done; true",
            "for n in 1 2 3 4 5; do golden init --name x $R; runuser -u qt -- rm -f /home/qt/quantum_trader/golden.toml; done; true",
        ],
        ..of(kind, By::Qt, name, plant)
    }
}

/// Started again and again while names are exchanged.
const fn race(name: &'static str, plant: &'static str) -> Attack {
    Attack {
        verbs: &[
            "for n in $(seq 20); do golden --quiet run ai-engine ops/x.py; done; true",
            "for n in $(seq 8); do golden --quiet run --as-unit ai-engine ops/x.py; done; true",
            "golden rehearse --copy-host --calm",
        ],
        ..of(RACES, By::Qt, name, plant)
    }
}
