use super::*;

/// Assembled here, so that no scanner takes this file for a leak.
fn made(prefix: &str, length: usize) -> String {
    let letters = "A1b2C3d4E5f6G7h8J9k0".chars().cycle().take(length);
    prefix.chars().chain(letters).collect()
}

#[test]
fn well_known_tokens() {
    let upper = made("AKIA", 16).to_uppercase();
    assert_eq!(secret_shape(&upper), Some(Shape::AwsAccessKey));
    assert_eq!(secret_shape(&format!("x='{}'", made("ghp_", 36))), Some(Shape::GitHubToken));
    assert_eq!(secret_shape(&made("github_pat_", 82)), Some(Shape::GitHubToken));
    assert_eq!(secret_shape(&made("xoxb-12-", 24)), Some(Shape::SlackToken));
    assert_eq!(secret_shape(&made("sk_live_", 24)), Some(Shape::StripeKey));
    assert_eq!(secret_shape(&made("AIza", 35)), Some(Shape::GoogleKey));
    assert_eq!(secret_shape(&made("123456789:AA", 33)), Some(Shape::TelegramToken));
    assert_eq!(secret_shape(&(made("SG.", 22) + &made(".", 43))), Some(Shape::SendGridKey));
    let jwt = [made("eyJ", 20), made("eyJ", 40), made("", 43)].join(".");
    assert_eq!(secret_shape(&jwt), Some(Shape::JsonWebToken));
    let key = format!("-----BEGIN {} PRIVATE KEY-----\\nMII", "RSA");
    assert_eq!(secret_shape(&key), Some(Shape::PrivateKey));
}

#[test]
fn urls_with_passwords() {
    assert_eq!(secret_shape("redis://:s3cr3tpw@localhost:1/0"), Some(Shape::UrlPassword));
    assert_eq!(secret_shape("postgres://bob:p@ss:w0rd@db/x"), Some(Shape::UrlPassword));
    for plain in
        ["http://localhost:80/a@b:c", "redis://:${PW}@h", "postgres://u:changeme@h", "ssh://git@h:22/x"]
    {
        assert_eq!(secret_shape(plain), None, "{plain}");
    }
}

#[test]
fn what_is_no_secret() {
    let public = format!("-----BEGIN {}-----", "PUBLIC KEY");
    for plain in ["", "AKIA", "ghp_short", "risk-proj-thing", "true", "/opt/data", "sk_test_abc", &public] {
        assert_eq!(secret_shape(plain), None, "{plain}");
    }
    assert_eq!(secret_shape(&format!("ghp_{}", "x".repeat(36))), None);
    assert_eq!(secret_shape(&made("Zghp_", 36)), None);
}

#[test]
fn names_by_any_custom() {
    for name in [
        "SECRET_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "SMTP_PASS",
        "PGPASSWORD",
        "SENTRY_DSN",
        "GH_TOKEN",
        "OPENAI_API_KEY",
        "--api-key",
    ] {
        assert!(is_secret_by_name(name, "hunter2hunter2"), "{name}");
    }
    for (name, value) in [
        ("TOKEN_FILE", "/run/token"),
        ("DB_PASSWORD", "/run/secrets/db"),
        ("PORT", "1"),
        ("API_KEY", "changeme"),
        ("PGHOST", "db"),
    ] {
        assert!(!is_secret_by_name(name, value), "{name}");
    }
}

#[test]
fn shapes_stand_where_they_stand() {
    let token = made("ghp_", 40);
    let jwt = [made("eyJ", 20), made("eyJ", 40), made("", 43)].join(".");
    let key = format!("-----BEGIN {0} KEY-----\nMII\n-----END {0} KEY-----", "PRIVATE");
    let telegram = made("123456789:AA", 33);
    let grid = made("SG.", 22) + &made(".", 43);
    for secret in [&token, &jwt, &key, &telegram, &grid] {
        let text = format!("a {secret} b '{secret}'");
        let spans = shape_spans(&text);
        assert!(spans.len() == 2 && spans.iter().all(|span| text[span.clone()] == **secret), "{text}");
    }
    let text = "redis://:s3cr3tpw@h/0 http://u:an0ther@x:1/";
    let spans: Vec<&str> = shape_spans(text).into_iter().map(|span| &text[span]).collect();
    assert_eq!(spans, ["s3cr3tpw", "an0ther"]);
    // Without its end a key goes on to the end of the text.
    let text = format!("a -----BEGIN {} KEY-----\nMII", "PRIVATE");
    let spans: Vec<&str> = shape_spans(&text).into_iter().map(|span| &text[span]).collect();
    assert_eq!(spans, [&text[2..]]);
}

#[test]
fn placeholders() {
    for value in [
        "",
        "  ",
        "changeme",
        "CHANGE_ME",
        "<token>",
        "${TOKEN}",
        "{{ token }}",
        "xxxx",
        "****",
        "your-api-key",
        "None",
        "example",
        "\"\"",
        "$TOKEN",
        "my_example_key",
        "...",
    ] {
        assert!(is_placeholder(value), "{value:?}");
    }
    for value in ["hunter2", "a8f5f167f44f4964e6c998dee827110c", "$ecret!", "x9", "[1"] {
        assert!(!is_placeholder(value), "{value:?}");
    }
}

#[test]
fn globs() {
    for (pattern, text, expected) in [
        ("*_SECRET", "API_SECRET", true),
        ("*_SECRET", "_SECRET", true),
        ("*_SECRET", "API_SECRET_PATH", false),
        ("*KEY*", "MONKEYS", true),
        ("A?C", "ABC", true),
        ("A?C", "AC", false),
        ("*", "", true),
        ("", "", true),
        ("", "A", false),
        ("*a*b*c", "xxaxxbxxbc", true),
    ] {
        assert_eq!(glob::matches_word(pattern, text), expected, "{pattern} {text}");
    }
}
