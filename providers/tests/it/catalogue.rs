//! The catalogue: the shipped one is right, a wrong one is refused with its place.

use slipstream_domain::{ModelId, TokenUsage, UsageSource};
use slipstream_providers::{Capability, Catalogue, LongPrice, Price, ThinkingControl};

use crate::assembled::provider;

fn model(id: &str) -> ModelId {
    ModelId::parse(id).unwrap()
}

#[test]
fn the_shipped_catalogue_is_right_and_in_order() {
    let catalogue = Catalogue::shipped().unwrap();
    let order: Vec<_> = catalogue.vendors().iter().map(|vendor| vendor.id.as_str()).collect();
    assert_eq!(order, ["openai", "gemini", "grok", "anthropic", "meta", "vercel", "simulated"]);
    assert_eq!(catalogue.default_model(&provider("openai")).unwrap().id.as_str(), "gpt-5-nano");
    let claude = catalogue.model(&provider("anthropic"), &model("claude-sonnet-4-20250514")).unwrap();
    assert!(claude.can(Capability::Thinking) && claude.can(Capability::PdfIn));
    assert_eq!(claude.max_output, Some(64_000));
    for vendor in catalogue.vendors() {
        assert!(vendor.models.iter().all(|m| m.provider == vendor.id));
        let prices = [&vendor.titles, &vendor.default].map(|model| model.price.map(|price| price.output));
        assert!(prices[0] <= prices[1], "{}: titles cost no more than answers", vendor.id);
        assert_eq!(vendor.key_setting.is_none(), vendor.id.as_str() == "simulated");
    }
}

#[test]
fn a_request_without_a_model_gets_the_default_and_an_unknown_one_the_nearest_name() {
    let catalogue = Catalogue::shipped().unwrap();
    let openai = provider("openai");
    assert_eq!(catalogue.chat_model(&openai, None).unwrap().id.as_str(), "gpt-5-nano");
    let says = |id: &str, name: Option<&str>| {
        catalogue.chat_model(&provider(id), name.map(model).as_ref()).unwrap_err().to_string()
    };
    assert_eq!(
        says("openai", Some("gpt-5-nanno")),
        "model gpt-5-nanno of provider openai is not known; did you mean gpt-5-nano?"
    );
    assert_eq!(
        says("openai", Some("claude-sonnet-4-20250514")),
        "model claude-sonnet-4-20250514 of provider openai is not known; it is a model of anthropic"
    );
    assert_eq!(
        says("opnai", None),
        "provider opnai is not known; did you mean openai? Known providers: openai, gemini, grok, anthropic, meta, \
         vercel, simulated"
    );
    assert_eq!(
        says("gemini", Some("veo-2.0-generate-001")),
        "model veo-2.0-generate-001 of provider gemini is not a chat model; gemini-2.5-flash is"
    );
}

#[test]
fn a_catalogue_that_contradicts_itself_is_refused_with_the_place() {
    let with = |models: &str| {
        let json = format!(
            r#"{{"version":"1","providers":[{{"id":"p","name":"P","default":"a","models":[{models}]}}]}}"#
        );
        Catalogue::parse(&json).unwrap_err().to_string()
    };
    let a = r#"{"id":"a","name":"A","can":["chat"]}"#;
    let titles = r#"{"version":"1","providers":[{"id":"p","name":"P","titles":"b","models":[{"id":"a","name":"A","can":["chat"]}]}]}"#;
    let refused = Catalogue::parse(titles).unwrap_err().to_string();
    assert!(refused.contains("p/b: is to find titles, but not a chat model of this provider"), "{refused}");
    for (models, says) in [
        ("", "p/a: is the default, but not a chat model of this provider"),
        (r#"{"id":"a","name":"A","can":[]}"#, "p/a: is the default, but not a chat model"),
        (&format!("{a},{a}"), "p/a: model twice"),
        (r#"{"id":"a b","name":"A","can":["chat"]}"#, "p/a b: model must be"),
        (
            r#"{"id":"a","name":"A","can":["chat"],"context":0}"#,
            "p/a: context and max_output must be above 0",
        ),
        (
            r#"{"id":"a","name":"A","can":["chat"],"context":5,"max_output":6}"#,
            "max_output 6 is above context 5",
        ),
        (r#"{"id":"a","name":"A","can":["fly"]}"#, "JSON: unknown variant `fly`"),
        (r#"{"id":"a","name":"A","can":["chat"],"contxt":5}"#, "JSON: unknown field `contxt`"),
        (r#"{"id":"a","name":"A","can":["chat"],"price":{"input":-1,"output":1}}"#, "JSON: invalid value"),
    ] {
        assert!(with(models).contains(says), "{models} gave {}", with(models));
    }
    for json in ["", "{}", r#"{"version":"1","providers":[]}"#] {
        assert!(Catalogue::parse(json).is_err(), "{json}");
    }
}

#[test]
fn a_cost_counts_cached_tokens_once_and_rounds_up() {
    let usage = |input, cached_input, output| TokenUsage {
        input,
        cached_input,
        output,
        reasoning: 0,
        total: 0,
        source: UsageSource::Provider,
    };
    let price = Price { input: 50_000, cached: Some(5_000), output: 400_000, long: None };
    assert_eq!(price.cost_micro_usd(&usage(1_000_000, 0, 1_000_000)), 450_000);
    assert_eq!(price.cost_micro_usd(&usage(1_000_000, 1_000_000, 0)), 5_000);
    assert_eq!(price.cost_micro_usd(&usage(1, 0, 0)), 1);
    assert_eq!(price.cost_micro_usd(&usage(u64::MAX, 0, u64::MAX)), 8_301_034_833_169_298_227);
    assert_eq!(Price { cached: None, ..price }.cost_micro_usd(&usage(1_000_000, 1_000_000, 0)), 50_000);
    let long = LongPrice { over: 1000, input: 100_000, cached: None, output: 800_000 };
    let tiered = Price { long: Some(long), ..price };
    assert_eq!(tiered.cost_micro_usd(&usage(1000, 0, 1000)), 450);
    assert_eq!(tiered.cost_micro_usd(&usage(1001, 1, 1000)), 901);
}

const LOCAL: &str = r#"{"version":"mine","providers":[
    {"id":"ollama","name":"Ollama","base_url":"http://localhost:11434/v1","models":[
        {"id":"qwen3:8b","name":"Qwen 3","can":["chat"],"context":40960}]},
    {"id":"openai","default":"gpt-4.1","models":[
        {"id":"gpt-4.1","name":"Ours","can":["chat"]},
        {"id":"ft:gpt-4.1:us","name":"Tuned","can":["chat"]}]}]}"#;

#[test]
fn an_operator_adds_endpoints_and_models_and_replaces_others_where_they_stand() {
    let catalogue = Catalogue::shipped().unwrap().extended(LOCAL).unwrap();
    let ollama = catalogue.vendor(&provider("ollama")).unwrap();
    assert_eq!(ollama.base_url.as_deref(), Some("http://localhost:11434/v1"));
    assert_eq!((ollama.default.id.as_str(), ollama.key_setting.as_deref()), ("qwen3:8b", None));
    let openai = catalogue.vendor(&provider("openai")).unwrap();
    let before = Catalogue::shipped().unwrap();
    let place = |catalogue: &Catalogue| {
        let models = &catalogue.vendor(&provider("openai")).unwrap().models;
        models.iter().position(|model| model.id.as_str() == "gpt-4.1").unwrap()
    };
    assert_eq!(place(&catalogue), place(&before));
    assert_eq!((openai.default.name.as_str(), openai.name.as_str()), ("Ours", "OpenAI"));
    assert_eq!(openai.models.last().unwrap().name, "Tuned");
    assert_eq!(openai.key_setting.as_deref(), Some("OPENAI_API_KEY"));
    assert_eq!(catalogue.version(), format!("{}+mine", before.version()));
}

#[test]
fn an_operators_catalogue_that_cannot_work_is_refused_with_the_place() {
    let says = |provider: &str| {
        let json = format!(
            r#"{{"version":"mine","providers":[{{{provider},"models":[{{"id":"m","name":"M","can":["chat"]}}]}}]}}"#
        );
        Catalogue::shipped().unwrap().extended(&json).unwrap_err().to_string()
    };
    assert!(says(r#""id":"ollama""#).contains("ollama/-: is not known by name, so it needs a base_url"));
    assert!(says(r#""id":"ollama","base_url":"localhost""#).contains("a base URL must be http"));
    let own = says(r#""id":"openai","base_url":"http://localhost""#);
    assert!(own.contains("openai/-: has an address of its own"), "{own}");
}

#[test]
fn a_model_that_thinks_says_how_and_its_least_leaves_room_for_an_answer() {
    let catalogue = Catalogue::shipped().unwrap();
    for model in catalogue.vendors().iter().flat_map(|vendor| &vendor.models) {
        if let Some(ThinkingControl::Budget { min, max, .. }) = model.thinking {
            assert!(min < max && model.max_output.is_some_and(|output| max < output), "{}", model.id);
        }
    }
    let wrong = r#"{"version":"1","providers":[{"id":"p","models":[{"id":"a","name":"A","can":["chat","thinking"],
        "max_output":100,"thinking":{"budget":{"min":100,"max":200,"off":true}}}]}]}"#;
    let error = Catalogue::parse(wrong).unwrap_err().to_string();
    assert!(error.contains("p/a: thinking needs"), "{error}");
}
