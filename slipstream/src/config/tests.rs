//! What the settings take and what they refuse.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::telemetry::LogFormat;
use super::*;

fn surroundings(variables: &[(&str, &str)], file: Option<&Path>) -> Surroundings {
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Surroundings { variables, secret: Secret::default(), file: file.map(Path::to_owned), data_dir: None }
}

fn read(variables: &[(&str, &str)]) -> Config {
    Config::read(surroundings(variables, None)).unwrap()
}

fn refused(variables: &[(&str, &str)]) -> String {
    Config::read(surroundings(variables, None)).unwrap_err().to_string()
}

/// Reads a file `slipstream.toml` with this text; a refusal names it without its folder.
fn read_file(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    std::fs::write(&file, text).unwrap();
    let prefix = format!("{}/", folder.path().display());
    Config::read(surroundings(variables, Some(&file))).map_err(|error| error.to_string().replace(&prefix, ""))
}

fn refused_file(text: &str) -> String {
    read_file(text, &[]).unwrap_err()
}

#[test]
fn each_provider_has_its_own_variables() {
    let config = read(&[("X_AI_KEY", "xai-1"), ("OPENAI_BASE_URL", "http://127.0.0.1:1")]);
    let grok = ProviderId::parse("grok").unwrap();
    let keys = config.keys(&config.catalogue().unwrap()).unwrap();
    assert_eq!(keys[&grok].expose_secret(), "xai-1");
    assert_eq!(config.base_urls[&ProviderId::parse("openai").unwrap()], "http://127.0.0.1:1");
}

#[test]
fn who_answers_for_a_provider_is_named_by_provider_and_model() {
    let config = read(&[("SLIPSTREAM_PROVIDERS__OPENAI__FALLBACK", "compatible/qwen/qwen3")]);
    let fallback = &config.worker().fallbacks[&ProviderId::parse("openai").unwrap()];
    assert_eq!((fallback.provider.as_str(), fallback.model.as_str()), ("compatible", "qwen/qwen3"));
    let refused = refused(&[("SLIPSTREAM_PROVIDERS__OPENAI__FALLBACK", "gpt-5")]);
    assert!(refused.starts_with("providers.openai.fallback must be provider/model"), "{refused}");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    assert!(read(&[("DATABASE_URL", ""), ("SLIPSTREAM_GATEWAY__SOCKETS", "")]).database_url.is_none());
}

#[test]
fn a_secret_that_looks_like_a_number_is_text() {
    assert_eq!(read(&[("EMAIL_PEPPER", "123")]).email_pepper.unwrap().expose_secret(), "123");
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_defaults() {
    let text = "[gateway]\nmax_in_flight = 3\nsockets = 5\n[log]\nformat = 'json'\n";
    let set = [
        ("SLIPSTREAM_GATEWAY__SOCKETS", "7"),
        ("SLIPSTREAM_GATEWAY__ALLOWED_ORIGINS", "https://a, https://b"),
    ];
    let config = read_file(text, &set).unwrap();
    assert_eq!((config.gateway.max_in_flight, config.gateway.sockets), (3, 7));
    assert_eq!(config.gateway.allowed_origins, ["https://a", "https://b"]);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.gateway.ping_every, slipstream_gateway::Settings::default().ping_every);
}

#[test]
fn our_own_variable_goes_over_the_well_known_one() {
    let config = read(&[("SLIPSTREAM_LOG__FILTER", "debug"), ("RUST_LOG", "warn")]);
    assert_eq!(config.log.filter, "debug");
}

#[test]
fn a_file_in_the_data_folder_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "[worker]\nconcurrency = 2\n").unwrap();
    let from = Surroundings { data_dir: Some(folder.path().to_owned()), ..surroundings(&[], None) };
    assert_eq!(Config::read(from).unwrap().worker().concurrency, 2);
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_right_one() {
    assert_eq!(
        refused_file("[gateway]\nmax_in_fligt = 3\n"),
        "slipstream.toml: there is no setting gateway.max_in_fligt; did you mean gateway.max_in_flight?"
    );
    assert_eq!(
        refused_file("[gatway]\nsockets = 3\n"),
        "slipstream.toml: there is no setting gatway; did you mean gateway?"
    );
    assert_eq!(
        refused_file("[providers.opnai]\napi_key = 'x'\n"),
        "slipstream.toml: there is no setting providers.opnai; did you mean providers.openai?"
    );
    assert_eq!(
        refused(&[("SLIPSTREAM_GATEWAY_SOCKETS", "3")]),
        "environment: there is no setting SLIPSTREAM_GATEWAY_SOCKETS; did you mean SLIPSTREAM_GATEWAY__SOCKETS?"
    );
    read(&[("SLIPSTREAM_TEST_DATABASE_URL", "the test suite's")]);
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_with_its_place_and_what_would_be_right() {
    assert_eq!(
        refused_file("[gateway]\nsockets = 'many'\n"),
        "slipstream.toml: gateway.sockets must be a whole number from 1 to 4294967295, not \"many\""
    );
    assert_eq!(
        refused(&[("SLIPSTREAM_WORKER__CONCURRENCY", "0")]),
        "SLIPSTREAM_WORKER__CONCURRENCY: worker.concurrency must be a whole number from 1 to 4294967295, not 0"
    );
    assert_eq!(
        refused_file("[server]\nlisten = '4000'\n"),
        "slipstream.toml: server.listen must be an IP address with a port, such as 127.0.0.1:4000, not \"4000\""
    );
    assert_eq!(
        refused(&[("SLIPSTREAM_LOG__FORMAT", "xml")]),
        "SLIPSTREAM_LOG__FORMAT: log.format must be pretty or json, not \"xml\""
    );
    assert_eq!(
        refused_file("[gateway]\nallowed_origins = [1]\n"),
        "slipstream.toml: gateway.allowed_origins must be a list of texts (in a variable: separated by commas), not [1]"
    );
    assert_eq!(
        refused_file("gateway = 3\n"),
        "slipstream.toml: gateway is a section, not a setting; write [gateway]"
    );
    assert_eq!(refused_file("[database]\nurl = 31337\n"), "slipstream.toml: database.url must be text");
}

#[test]
fn a_file_that_is_no_toml_is_refused_without_quoting_it() {
    let said = refused_file("[auth]\nemail_pepper = planted secret\n");
    assert!(said.starts_with("slipstream.toml is not TOML, line 2: "), "{said}");
    assert!(!said.contains("planted"), "{said}");
}

#[test]
fn a_named_file_must_be_there() {
    let error = Config::read(surroundings(&[], Some(Path::new("/nowhere/at-all.toml")))).unwrap_err();
    assert!(error.to_string().starts_with("cannot read /nowhere/at-all.toml: "), "{error}");
}

#[test]
fn a_secret_is_not_printed() {
    let config = read(&[("OPENAI_API_KEY", "sk-planted"), ("DATABASE_URL", "postgres://u:planted@h/d")]);
    assert!(!format!("{config:?}").contains("planted"));
    let config = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:planted@collector:4318/x@y")]);
    let shown = config.effective.iter().find(|setting| setting.key == "telemetry.otlp_endpoint").unwrap();
    assert_eq!(shown.value, Some("http://[redacted]@collector:4318/x@y".into()));
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    let variables = vec![("EMAIL_PEPPER".into(), OsString::from_vec(vec![0xFF]))];
    let error = Config::read(Surroundings { variables, ..surroundings(&[], None) }).unwrap_err();
    assert_eq!(error.to_string(), "EMAIL_PEPPER is not UTF-8");
}

#[test]
fn the_table_of_settings_is_the_settings() {
    let defaults = Value::serialize(Settings::default()).unwrap();
    let mut paths = BTreeSet::new();
    collect(&defaults, "", &mut paths);
    assert_eq!(paths, KEYS.iter().map(|key| key.path.to_owned()).collect());
}

fn collect(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
    match value.as_dict() {
        Some(section) => {
            for (name, value) in section {
                collect(value, format!("{path}.{name}").trim_start_matches('.'), paths);
            }
        }
        None => assert!(paths.insert(path.to_owned())),
    }
}

/// Settings that the example shows and that exclude another one of it.
const ALTERNATIVES: [&str; 3] = ["nats.token", "nats.nkey", "nats.creds"];

/// The example with every setting that is commented out put in, but for [`ALTERNATIVES`].
fn example() -> String {
    let text = include_str!("../../../ops/slipstream.example.toml");
    let is_setting = |line: &str| line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
    let is_alternative =
        |line: &str| ALTERNATIVES.iter().any(|name| line.split(" = ").next() == name.strip_prefix("nats."));
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) && !is_alternative(setting) => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_sets_every_setting_and_is_taken() {
    let config = read_file(&example(), &[]).unwrap();
    let unset = config.effective.iter().filter(|setting| setting.place.is_none());
    let unset: Vec<_> = unset.map(|setting| setting.key).collect();
    assert_eq!(unset, ALTERNATIVES, "what ops/slipstream.example.toml does not show");
}

#[test]
fn what_the_example_shows_without_a_comment_sign_are_the_defaults() {
    let example = read_file(include_str!("../../../ops/slipstream.example.toml"), &[]).unwrap();
    let defaults = read(&[]);
    for (shown, default) in example.effective.iter().zip(&defaults.effective) {
        assert_eq!(shown.value, default.value, "{}", shown.key);
    }
}

#[test]
fn nats_and_redis_make_a_process_one_of_several() {
    assert!(read(&[]).cluster.is_none());
    let config = read(&[("NATS_URL", "nats://a:4222, nats://b:4222"), ("REDIS_URL", "redis://c")]);
    let cluster = config.cluster.as_ref().unwrap();
    assert_eq!(cluster.nats.servers, ["nats://a:4222", "nats://b:4222"]);
    assert_eq!(config.worker().at_grace_end, slipstream_workers::AtGraceEnd::HandBack);
    let alone = config.alone();
    assert!(alone.cluster.is_none());
    assert_eq!(alone.worker().at_grace_end, slipstream_workers::AtGraceEnd::Interrupt);
    assert!(alone.worker().grace < slipstream_workers::Settings::default().grace);
}

#[test]
fn half_of_what_processes_share_is_refused() {
    let (nats, redis) = (("NATS_URL", "nats://a"), ("REDIS_URL", "redis://c"));
    assert!(refused(&[nats]).contains("redis.url is not"));
    assert!(refused(&[redis]).contains("nats.servers is not"));
    let with = |more: &[(&'static str, &'static str)]| refused(&[&[nats, redis], more].concat());
    assert!(with(&[("SLIPSTREAM_NATS__USER", "u")]).contains("nats.user and nats.password"));
    let token = ("SLIPSTREAM_NATS__TOKEN", "t");
    assert!(with(&[token, ("SLIPSTREAM_NATS__NKEY", "n")]).contains("one of token"));
    assert!(with(&[("REDIS_CLIENT_KEY", "k")]).contains("redis.tls_certificate and redis.tls_key"));
}

#[test]
fn a_certificate_in_a_variable_has_its_lines_back() {
    let pem = r"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";
    let config = read(&[("NATS_URL", "nats://a"), ("REDIS_URL", "rediss://c"), ("REDIS_CA_PEM", pem)]);
    let tls = config.cluster.unwrap().redis.tls.unwrap();
    assert_eq!(tls.authority.unwrap().lines().count(), 3);
}

#[test]
fn a_list_of_urls_is_shown_without_passwords() {
    let config = read(&[("NATS_URL", "nats://me:hunter2@a,nats://b"), ("REDIS_URL", "redis://c")]);
    let shown = config.effective.iter().find(|setting| setting.key == "nats.servers").unwrap();
    assert_eq!(shown.value, Some(serde_json::json!(["nats://[redacted]@a", "nats://b"])));
}

#[test]
fn messages_on_the_operators_keys_have_a_limit_unless_the_operator_is_the_user_or_says_otherwise() {
    let limits = |variables: &[(&str, &str)]| {
        let config = read(variables);
        let limit = config.free_messages_per_day().map(std::num::NonZeroU32::get);
        (limit, config.alone().free_messages_per_day().map(std::num::NonZeroU32::get))
    };
    let name = "SLIPSTREAM_LIMITS__FREE_MESSAGES_PER_DAY";
    assert_eq!(limits(&[]), (Some(25), None));
    assert_eq!(limits(&[(name, "3")]), (Some(3), Some(3)));
    assert_eq!(limits(&[(name, "0")]), (None, None));
    assert_eq!(
        refused(&[(name, "-1")]),
        format!("{name}: limits.free_messages_per_day must be a whole number from 0 to 4294967295, not -1")
    );
}

/// Reads a catalogue of the operator's, with these variables.
fn with_catalogue(json: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("models.json");
    std::fs::write(&file, json).unwrap();
    let set = [variables, &[("SLIPSTREAM_CATALOGUE__FILE", file.to_str().unwrap())]].concat();
    let config = read(&set);
    let prefix = format!("{}/", folder.path().display());
    let keys = config.catalogue().and_then(|catalogue| config.keys(&catalogue));
    match keys {
        Ok(keys) => Ok(Config { keys, ..config }),
        Err(error) => Err(error.to_string().replace(&prefix, "")),
    }
}

#[test]
fn an_endpoint_of_the_operators_catalogue_has_its_key_in_the_variable_it_names() {
    let json = r#"{"version": "ours", "providers": [{"id": "lite", "base_url": "http://127.0.0.1:4000",
                   "key_setting": "LITE_KEY", "models": [{"id": "m", "name": "M", "can": ["chat"]}]}]}"#;
    let lite = ProviderId::parse("lite").unwrap();
    let config = with_catalogue(json, &[("LITE_KEY", "sk-planted")]).unwrap();
    assert_eq!(config.keys[&lite].expose_secret(), "sk-planted");
    assert!(!format!("{config:?}").contains("planted"));
    assert!(!with_catalogue(json, &[]).unwrap().keys.contains_key(&lite));
}

#[test]
fn a_wrong_catalogue_is_refused_with_its_place() {
    let refused = |json| with_catalogue(json, &[]).unwrap_err();
    assert!(refused("[]").starts_with("models.json: model catalogue: JSON: "), "{}", refused("[]"));
    let no_address = r#"{"version": "ours", "providers": [{"id": "lite", "models": []}]}"#;
    assert_eq!(
        refused(no_address),
        "models.json: model catalogue: lite/-: is not known by name, so it needs a base_url"
    );
    let missing = read(&[("SLIPSTREAM_CATALOGUE__FILE", "/nowhere/models.json")]).catalogue().unwrap_err();
    assert!(missing.to_string().starts_with("cannot read /nowhere/models.json: "), "{missing}");
}

#[test]
fn files_are_fetched_from_public_addresses_unless_others_are_named() {
    assert!(!read(&[]).files.reach.allows("10.0.0.7".parse().unwrap()));
    let config = read(&[("SLIPSTREAM_ASSETS__FETCH_ALSO_FROM", "10.0.0.7,::1")]);
    assert!(config.files.reach.allows("10.0.0.7".parse().unwrap()));
    let refused = refused(&[("SLIPSTREAM_ASSETS__FETCH_ALSO_FROM", "10.0.0.0/8")]);
    assert!(
        refused.ends_with("assets.fetch_also_from: 10.0.0.0/8 must be an IP address such as 10.0.0.7"),
        "{refused}"
    );
}

#[test]
fn how_long_the_bytes_of_deleted_files_are_kept_is_a_setting() {
    let config = read(&[("SLIPSTREAM_ASSETS__KEEP_DELETED_DAYS", "7")]);
    assert_eq!(config.files.patience.deleted, std::time::Duration::from_hours(7 * 24));
}

/// What a secret fills in beside these variables.
fn filled(fields: &[(&str, &str)], variables: &[(&str, &str)]) -> Surroundings {
    let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect();
    let secret = Secret { place: "the secret s".into(), fields };
    Surroundings { secret, ..surroundings(variables, None) }
}

#[test]
fn a_secret_fills_in_what_the_environment_does_not_set() {
    let fields = [
        ("DATABASE_URL", "postgres://secret"),
        ("EMAIL_PEPPER", "pepper"),
        ("OPENAI_API_KEY", "sk-secret"),
        ("ANTHROPIC_API_KEY", ""),
        ("PORT", "8080"),
        ("SLIPSTREAM_GATEWAY__MAX_IN_FLIGHT", "3"),
        ("OF_ANOTHER_SERVICE", "x"),
    ];
    let config = Config::read(filled(&fields, &[("OPENAI_API_KEY", "sk-environment")])).unwrap();
    assert_eq!(config.database_url.as_ref().unwrap().expose_secret(), "postgres://secret");
    assert_eq!((config.listen.to_string().as_str(), config.gateway.max_in_flight), ("127.0.0.1:8080", 3));
    let openai = ProviderId::parse("openai").unwrap();
    assert_eq!(config.keys[&openai].expose_secret(), "sk-environment");
    assert_eq!(config.keys.len(), 1);
    let place = config.effective.iter().find(|setting| setting.key == "database.url").unwrap();
    assert_eq!(place.place.as_deref(), Some("DATABASE_URL in the secret s"));
    assert!(!format!("{config:?}").contains("sk-"));
    let wrong = Config::read(filled(&[("PORT", "many")], &[])).unwrap_err().to_string();
    assert_eq!(
        wrong,
        "PORT in the secret s: server.port must be a whole number from 1 to 65535, not \"many\""
    );
}

#[test]
fn a_host_of_redis_and_certificates_on_one_line_are_enough_for_tls() {
    let pem = |what: &str| format!("-----BEGIN {what}-----\\nabc\\n-----END {what}-----\\n");
    let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
    let fields = [
        ("REDIS_HOST", "redis.example.com:6380"),
        ("REDIS_CA_PEM", certificate.as_str()),
        ("REDIS_CLIENT_CERT", certificate.as_str()),
        ("REDIS_CLIENT_KEY", key.as_str()),
        ("NATS_URL", "nats://nats.example.com"),
    ];
    let redis = Config::read(filled(&fields, &[])).unwrap().cluster.unwrap().redis;
    assert_eq!(redis.url.expose_secret(), "rediss://redis.example.com:6380");
    let tls = redis.tls.unwrap();
    let lines = |text: &str| text.lines().count();
    assert_eq!(lines(&tls.authority.unwrap()), 3);
    let client = tls.client.unwrap();
    assert_eq!((lines(&client.certificate), lines(client.key.expose_secret())), (3, 3));
    let plain = Config::read(filled(&[fields[0], fields[4]], &[])).unwrap().cluster.unwrap().redis;
    assert_eq!(plain.url.expose_secret(), "redis://redis.example.com:6380");
}

#[test]
fn the_secret_is_named_by_the_environment_or_the_file_before_anything_else_is_read() {
    let half = [("AWS_CREDENTIAL_SECRET_ID", "prod"), ("REDIS_URL", "redis://half"), ("EMAIL_PEPPER", "p")];
    assert_eq!(surroundings(&half, None).names_secret().unwrap().as_deref(), Some("prod"));
    assert_eq!(surroundings(&half[1..], None).names_secret().unwrap(), None);
}

#[test]
fn jwt_needs_keys_an_issuer_and_an_audience() {
    let methods = ("SLIPSTREAM_AUTH__METHODS", "ticket,jwt");
    let (secret, issuer) = (("JWT_SECRET", "s"), ("SLIPSTREAM_AUTH__JWT_ISSUER", "i"));
    for (variables, missing) in [
        (&[methods][..], "auth.jwt_secret (JWT_SECRET) or auth.jwks_url"),
        (&[methods, secret], "auth.jwt_issuer"),
        (&[methods, secret, issuer], "auth.jwt_audience"),
    ] {
        let said = refused(variables);
        assert!(said.ends_with(&format!("auth.methods has jwt: {missing} must be set, too")), "{said}");
    }
    let all = [methods, secret, issuer, ("SLIPSTREAM_AUTH__JWT_AUDIENCE", "a")];
    assert!(matches!(read(&all).methods[..], [AuthMethod::Ticket, AuthMethod::Jwt(_)]));
}
