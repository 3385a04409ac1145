use super::*;
use crate::syntax::secret_shape::is_secret_by_name;

fn named(name: &str, value: &str) -> bool {
    is_secret_by_name(name, value)
}

fn found(kind: Kind, text: &str) -> Vec<&str> {
    spans(kind, text, &named).into_iter().map(|span| &text[span]).collect()
}

/// In each text the parts between « and » are the secrets, and nothing else is.
fn holds(kind: Kind, marked: &[&str]) {
    for marked in marked {
        let expected: Vec<&str> =
            marked.split('«').skip(1).map(|rest| rest.split('»').next().unwrap()).collect();
        let text = marked.replace(['«', '»'], "");
        assert_eq!(found(kind, &text), expected, "{kind:?}: {text}");
    }
}

#[test]
fn commands() {
    holds(
        Kind::Other,
        &[
            "a --password «ab» -x",
            "a --password=«ab» -x",
            "a --api-key=«x1»",
            "curl -u bob:«pw» https://h/x",
            "curl --user \"bob:«p w»\" https://h/x",
            "curl -H \"Authorization: Bearer «abc»\" https://h/x",
            "curl -H 'authorization: «abc»' -H 'X-Api-Key: «k»' -H 'Accept: text/html'",
            "curl -HAuthorization:«abc»",
            "curl https://bob:«pw»@h/x 'https://h/?a=1&token=«tk»&b=2'",
            "PASSWORD=«q7» python3 run.py",
            "export DB_PASSWORD='«a b'c»",
            "mysql -uroot -p«pw» db",
            "mysql -u root -p db",
            "sshpass -p «pw» ssh -p 22 host",
            "redis-cli -h h -a «pw» -p 6379 PING",
            "redis-cli AUTH «pw»",
            "docker login -u a -p «pw» registry",
            "sh -c 'mysql --password=«q7» y'",
            "sh -c \"su -c 'mysql --password=«q7»'\"",
            "echo '{\"user\": \"a\", \"password\": \"«pw»\"}'",
            "echo '{\"user\":\"a\",\"password\":\"«pw»\"}'",
            "x 'Server=h;User=a;Password=«pw»;Port=1'",
            "psql 'host=h user=a password=«pw»'",
            "a ${DB_PASSWORD:-«hunter2»} b",
            "DB_PASSWORD=${DB_PASSWORD:-«hunter2»}",
            "openssl rsa --passphrase pass:«q7»",
            "password = \"«q7»\"",
            "wget --header='Cookie: «sid=q7»' https://h",
            "python3 -c 'get(headers={\"Authorization\": \"«Bearer q7»\"})'",
            "observed: \"{\\\"password\\\":\\\"«q7»\\\",\\\"port\\\":1}\"",
            "{\"password\":\"«q7»\",\"port\":1,\"token\":\"«q8»\"}",
            "aws configure set aws_secret_access_key «q7»",
            "openssl enc -k «q7» -pass pass:«q8» -in f",
            "git clone https://«q7»:x-oauth-basic@github.com/a/b",
            "http --auth user:«q7» h --oauth2-bearer «q8»",
            "A_TOKEN = { one_of = [\"«q7»\", \"«q 8»\"] }\nB = [\"a\"]",
            "echo \"Bearer «abcDEF123»\"",
            "# don't\nTOKEN=«q7»\necho 'it'",
            "TOKEN=\"«one\ntwo»\"\nPORT=1",
            "SetCredential=db:«a b»\nStandardInputText=«q7 y»\nPORT=1",
        ],
    );
}

#[test]
fn commands_without_secrets() {
    holds(
        Kind::Other,
        &[
            "a --port 80 --token-file /x --password-file /run/x --password /run/x",
            "docker login -u bob --password-stdin registry.example",
            "docker run -p 8080:80 -u 1000:1000 --user app:app x",
            "a --user app:app -u app",
            "mysql --no-password --host h",
            "a --password --host h",
            "PASSWORD=$PW TOKEN=${TOKEN} KEY=$(cat /x) API_KEY=\"$A:$B\"",
            "curl -H \"Authorization: Bearer $TOKEN\" -H \"Authorization: ${X}\"",
            "redis-cli -a \"$PW\" -p 6379",
            "[ \"$TOKEN\" = x ] && echo the bearer of this letter",
            "ssh -p 22 git@h:x.git",
            "http://h:80/a?b=c&d=e#f",
            "LoadCredential=db:token LoadCredential=x:/etc/x PassEnvironment=API_TOKEN",
            "DB_PASSWORD=${DB_PASSWORD:-} TOKEN=${TOKEN:?is not set}",
        ],
    );
}

#[test]
fn env_files() {
    holds(
        Kind::Env,
        &[
            "PORT=8000\nAPI_KEY=«ab»\n# API_KEY=«old»\nexport SMTP_PASS=«x y z»\nHOST=h\n",
            "KEY_PEM=1\nDB_PASSWORD=\"«one\ntwo\nthree»\"\nPORT=1\n",
            "DB_PASSWORD=«one\\\ntwo»\nPORT=1\n",
            "DB_PASSWORD='«never closed\nPORT=1»\n",
            "DB_PASSWORD=«$ecret!»\nHASH_PASSWORD=«$2y$10$abc»\nA=$B\nTOKEN=${X}\n",
            "2FA_SECRET=«q7»\nURL=redis://:«pw»@h/0\nOPTS=--password «q7»\n",
        ],
    );
}

#[test]
fn units() {
    holds(
        Kind::Unit,
        &[
            "[Service]\nEnvironment=A=1 \"SMTP_PASS=«a b»\" 'PORT=1'\nUser=qt\n",
            "Environment=API_TOKEN=«$ecret!» B=2\nEnviroment=SECRET_KEY=«q7»\n",
            "UnsetEnvironment=API_TOKEN=«q7» B\n",
            "LoadCredential=db-password:dbpw\nLoadCredentialEncrypted=token:/etc/x\nPassEnvironment=API_TOKEN\n",
            "SetCredential=db:«a b»\nSetCredentialEncrypted=db:«\\\n aGVsbG8»\nStandardInputText=«pw»\nStandardInputData=«cHc=»\n",
            "ExecStart=/usr/bin/a --password «q7» --port 80 \\\n  --token=«y» \\\n  --host h\n",
            "ExecStart=/a --password ${PW} --token $TOKEN -u bob:«q7»\n",
            "ExecStart=/bin/sh -c 'mysql --password=«q7»'\n# Environment=API_KEY=«old»\n",
            "EnvironmentFile=/etc/x.env\nWorkingDirectory=/srv/secret\nDescription=The token service\n",
            "X-Password=«q7»\nDB_PASSWORD=«q7»\nPassword=«q7»\nthis line token=«q7»\n[X]\nTOKEN=«q7»\n",
            "X-Password=none\nPassCredentials=yes\nExecStart=/usr/bin/env API_KEY=«q7;y» prog\n",
        ],
    );
}

/// The name of a setting that systemd knows says nothing of a secret, but for those that hold one.
#[test]
fn settings_of_systemd_are_no_secrets_by_their_names() {
    let hold = ["SetCredential", "SetCredentialEncrypted", "StandardInputData", "StandardInputText"];
    let keys = include_str!("../../systemd/known/systemd-257.txt").lines();
    let keys: Vec<&str> = keys.filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(keys.len() > 1000);
    for key in keys {
        let found = spans_of_setting(key, "x9f8e7d6", &is_secret_by_name);
        assert_eq!(!found.is_empty(), hold.contains(&key), "{key}");
    }
}

#[test]
fn makefiles() {
    holds(
        Kind::Makefile,
        &[
            "PASSWORD := «a b»\nexport API_KEY ?= «q7»\nPORT = 80\nrun: PASSWORD = «z»\n",
            "run:\n\t@python3 run.py --password «q7» \\\n\t  --token «y»\n\t-curl -u a:«b» h\n",
            "define DB_PASSWORD\n«one\ntwo»\nendef\nX = $(TOKEN)\nTOKEN = $(shell cat /x)\nAPI_KEY = $$KEY\n",
        ],
    );
}

#[test]
fn configuration_of_redis() {
    holds(
        Kind::Redis,
        &[
            "bind 127.0.0.1\nrequirepass «ab»\n# requirepass «old»\nmasterauth \"«a b»\"\nport 6379\n",
            "user bob on >«pw» #«abcd» ~* +@all\nuser default off\nrename-command CONFIG «b840»\nrename-command FLUSHALL \"\"\n",
            "sentinel auth-pass m «pw»\nsentinel monitor m 127.0.0.1 6379 2\n",
        ],
    );
}

#[test]
fn words_that_have_been_split() {
    let words = ["curl", "-H", "Authorization: Bearer abc d", "--api-key", "q7", "https://a:pw@h"];
    let found: Vec<(usize, &str)> = spans_of_words(&words, &named)
        .into_iter()
        .map(|(index, spans)| (index, &words[index][spans[0].clone()]))
        .collect();
    assert_eq!(found, [(2, "abc d"), (4, "q7"), (5, "pw")]);
    let setting = |key, value| spans_of_setting(key, value, &named).len();
    assert_eq!((setting("Environment", "API_KEY=q7"), setting("LoadCredential", "api-key:x")), (1, 0));
}

#[test]
fn kinds_of_files() {
    for (path, kind) in [
        ("/etc/systemd/system/a.service", Kind::Unit),
        ("/etc/systemd/system/a.service.d/zz-golden.conf", Kind::Unit),
        ("/etc/default/app", Kind::Env),
        ("env/a.env.example", Kind::Env),
        ("Makefile", Kind::Makefile),
        ("/etc/redis/redis.conf", Kind::Redis),
        ("/srv/app/ops/run.sh", Kind::Other),
    ] {
        assert_eq!(Kind::of(path), kind, "{path}");
    }
}

#[test]
fn texts_keep_what_is_no_secret() {
    let text = "a --password q7 --port 80";
    let spans = spans(Kind::Other, text, &named);
    assert_eq!(replaced(text, &spans, &|_| "…".to_owned()), "a --password … --port 80");
}
