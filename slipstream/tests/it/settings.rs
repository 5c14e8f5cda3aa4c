//! Where settings come from, what is shown of them, and which are refused.

use std::process::Output;

use serde_json::Value;

use crate::process::{DataFolder, run_on, slipstream};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_settings_that_hold_are_shown_with_their_places_and_without_secrets() {
    let folder = DataFolder::new();
    std::fs::create_dir(folder.path()).unwrap();
    let file = folder.path().join("slipstream.toml");
    std::fs::write(&file, "[gateway]\nmax_in_flight = 3\n[providers.grok]\napi_key = 'planted-in-file'\n")
        .unwrap();
    let path = folder.path();
    let show = |more: &[&str]| {
        let mut command =
            slipstream(&[&["config", "show", "--data-dir", path.to_str().unwrap()], more].concat());
        command.env("OPENAI_API_KEY", "planted-in-variable").env("SLIPSTREAM_GATEWAY__SOCKETS", "7");
        command
    };
    let text = String::from_utf8(show(&[]).output().await.unwrap().stdout).unwrap();
    let place = file.display();
    for line in [
        format!("max_in_flight = 3 # {place}"),
        format!("api_key = \"[redacted]\" # {place}"),
        "api_key = \"[redacted]\" # OPENAI_API_KEY".to_owned(),
        "sockets = 7 # SLIPSTREAM_GATEWAY__SOCKETS".to_owned(),
        "ping_every_seconds = 25 # default".to_owned(),
        "# email_pepper is not set".to_owned(),
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
    let json = String::from_utf8(show(&["--json"]).output().await.unwrap().stdout).unwrap();
    assert!(!text.contains("planted") && !json.contains("planted"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["gateway.sockets"]["value"], 7);
    assert_eq!(json["gateway.sockets"]["source"], "SLIPSTREAM_GATEWAY__SOCKETS");

    let shown = folder.path().join("shown.toml");
    std::fs::write(&shown, text).unwrap();
    let again = run_on(&folder, &["config", "show", "--config", shown.to_str().unwrap()]).await;
    assert!(again.status.success(), "what is shown is TOML that is taken: {}", said(&again));
}

#[tokio::test]
async fn a_setting_that_cannot_be_meant_is_exit_code_2() {
    let folder = DataFolder::new();
    for (name, value, error) in [
        ("SLIPSTREAM_GATEWAY__SOKCETS", "7", "did you mean SLIPSTREAM_GATEWAY__SOCKETS?"),
        ("SLIPSTREAM_GATEWAY__SOCKETS", "many", "gateway.sockets must be a whole number"),
    ] {
        let mut command = slipstream(&["config", "show", "--data-dir", folder.path().to_str().unwrap()]);
        let output = command.env(name, value).output().await.unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(error), "{}", said(&output));
    }
    let output = run_on(&folder, &["config", "show", "--config", "/nowhere/at-all.toml"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(!folder.path().exists(), "a data folder was made");
}

#[tokio::test]
async fn roles_that_need_others_and_a_service_nobody_can_sign_in_to_are_refused() {
    let folder = DataFolder::new();
    let output = run_on(&folder, &["serve", "--roles", "gateway"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("need projector and worker in the same process"), "{}", said(&output));
    let output = run_on(&folder, &["serve", "--roles", "gateway,cook"]).await;
    assert_eq!(output.status.code(), Some(2));
    for (methods, wanted) in
        [("[]", "auth.development_email = true"), ("['magic']", "there are ticket, jwt, session, email")]
    {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("[auth]\nmethods = {methods}\n")).unwrap();
        let output = run_on(&folder, &["serve", "--config", file.path().to_str().unwrap()]).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(wanted), "{}", said(&output));
    }
    assert!(!folder.path().exists(), "a data folder was made");
}

#[tokio::test]
async fn a_command_that_only_reads_makes_no_data_folder() {
    let folder = DataFolder::new();
    for arguments in [&["log", "verify"][..], &["log", "tail"], &["projections", "status"]] {
        let output = run_on(&folder, arguments).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("there is no data folder"), "{}", said(&output));
    }
    assert!(!folder.path().exists(), "a data folder was made");
}

#[tokio::test]
async fn help_teaches_by_example() {
    for arguments in
        [&["replay"][..], &["serve"], &["dev"], &["log", "tail"], &["projections", "retry"], &["doctor"]]
    {
        let output = slipstream(&[arguments, &["--help"]].concat()).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("Examples:"), "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn models_are_listed_with_the_operators_own_and_a_wrong_catalogue_is_exit_code_2() {
    let folder = DataFolder::new();
    std::fs::create_dir(folder.path()).unwrap();
    let file = folder.path().join("models.json");
    let list = |json: &str, more: &[&str]| {
        std::fs::write(&file, json).unwrap();
        let mut command =
            slipstream(&[&["models", "--data-dir", folder.path().to_str().unwrap()], more].concat());
        command.env("SLIPSTREAM_CATALOGUE__FILE", &file).env("ANTHROPIC_API_KEY", "sk-planted");
        command
    };
    let ours = r#"{"version": "ours", "providers": [{"id": "ollama", "base_url": "http://localhost:11434/v1",
                   "models": [{"id": "qwen3:8b", "name": "Qwen 3", "can": ["chat"], "context": 40960}]}]}"#;
    let text = String::from_utf8(list(ours, &[]).output().await.unwrap().stdout).unwrap();
    for line in ["openai: OpenAI, has no key (OPENAI_API_KEY)", "ollama: ollama, needs no key"] {
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
    assert!(text.contains("anthropic: Anthropic Claude, has a key"), "{text}");
    let qwen = text.lines().find(|line| line.contains("qwen3:8b")).unwrap();
    assert_eq!(qwen.split_whitespace().collect::<Vec<_>>(), ["*", "qwen3:8b", "40960", "chat"]);
    let json = list(ours, &["--json"]).output().await.unwrap().stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert!(json["catalogueVersion"].as_str().unwrap().ends_with("+ours"));
    let newest = json["providers"].as_array().unwrap().last().unwrap();
    assert_eq!((&newest["id"], &newest["usable"]), (&"ollama".into(), &true.into()));

    for command in ["models", "dev"] {
        std::fs::write(&file, "{}").unwrap();
        let mut refused = slipstream(&[command, "--data-dir", folder.path().to_str().unwrap()]);
        let refused = refused.env("SLIPSTREAM_CATALOGUE__FILE", &file).output().await.unwrap();
        assert_eq!(refused.status.code(), Some(2), "{command}");
        assert!(
            said(&refused).contains("models.json: model catalogue: JSON: missing field"),
            "{}",
            said(&refused)
        );
    }
}
