//! Own messages by what they say.

use slipstream_commands::{Place, delete_conversation};
use slipstream_domain::{Role, UserId};
use slipstream_projections::transcript::{Found, INDEXED, search};

use crate::world::World;

async fn found(world: &World, user: UserId, words: &str) -> Vec<Found> {
    search(&world.models, user, words, None, 50).await.unwrap().0
}

fn text(found: &Found) -> String {
    found.snippet.iter().map(|piece| piece.text.as_str()).collect()
}

fn matches(found: &Found) -> Vec<&str> {
    found.snippet.iter().filter(|piece| piece.matches).map(|piece| piece.text.as_str()).collect()
}

#[tokio::test]
async fn what_either_side_said_is_found_with_where_it_matches_and_nobody_elses() {
    let (world, running) = World::new().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let frogs = world.exchange(ann, world.new_chat(), "Wo quakt der Frosch?", &["Im alten Teich."]).await;
    let frogs = frogs.posted;
    world.exchange(ann, Place::In(frogs.conversation_id), "Und die Grille?", &["Im Gras."]).await;
    let last = world.exchange(bob, world.new_chat(), "Frosch und Teich", &["Ja."]).await.posted;
    world.settled(last.conversation_id).await;

    let [question] = found(&world, ann, "frosch").await.try_into().unwrap();
    assert_eq!((question.message, question.role), (frogs.message_id, Role::User));
    assert_eq!(matches(&question), ["Frosch"]);
    assert!(text(&question).contains("quakt der Frosch"), "{question:?}");
    let [answer] = found(&world, ann, "\"alten Teich\"").await.try_into().unwrap();
    assert_eq!((answer.message, answer.role), (frogs.reply_message_id, Role::Assistant));
    assert_eq!(found(&world, ann, "teich or gras").await.len(), 2);
    assert_eq!(found(&world, ann, "im -gras").await.len(), 1);
    for nothing in ["frosch teich", "frösche", "", "  ", "-", "!?", "\"", "&|!():*<->'"] {
        assert_eq!(found(&world, ann, nothing).await, [], "{nothing:?}");
    }
    assert_eq!(found(&world, ann, &ann.to_string()).await, [], "whose it is is not what it says");

    delete_conversation(&world.app, ann, frogs.conversation_id).await.unwrap();
    world.settled(frogs.conversation_id).await;
    assert_eq!(found(&world, ann, "frosch or gras").await, []);
    world.end(running).await;
}

#[tokio::test]
async fn the_best_match_is_first_and_pages_go_on_without_a_gap() {
    let (world, running) = World::new().await;
    let ann = world.user("ann").await;
    let mut last = None;
    for text in ["a pond among many other words", "pond pond", "no water at all", "one pond", "one pond"] {
        last = Some(world.exchange(ann, world.new_chat(), text, &["."]).await.posted.conversation_id);
    }
    world.settled(last.unwrap()).await;
    let all = found(&world, ann, "pond").await;
    assert_eq!(text(&all[0]), "pond pond");
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = search(&world.models, ann, "pond", after, 1).await.unwrap();
        paged.extend(page);
        let Some(next) = next else { break };
        after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!((paged.len(), paged), (4, all));
    world.end(running).await;
}

#[tokio::test]
async fn a_message_of_any_length_is_kept_and_found_by_its_beginning() {
    let (world, running) = World::new().await;
    let ann = world.user("ann").await;
    // Every word another one: the most that there can be to look up.
    let words: Vec<_> = (0..40_000).map(|n| format!("w{n:x}")).collect();
    let long = words.join(" ");
    assert!(long.len() > INDEXED * 2);
    let said = world.exchange(ann, world.new_chat(), &long, &["."]).await.posted;
    world.settled(said.conversation_id).await;
    assert_eq!(found(&world, ann, "w7").await.len(), 1);
    assert_eq!(found(&world, ann, words.last().unwrap()).await, []);
    world.end(running).await;
}

#[tokio::test]
async fn a_search_is_one_look_up_in_the_index() {
    let world = World::still().await;
    let plan = "SET enable_seqscan = off;
                EXPLAIN SELECT FROM rm_transcript_v2.message WHERE
                    to_tsvector('simple', left(coalesce(text, ''), 100000))
                        || array_to_tsvector(ARRAY[coalesce(owner_id::text, '-')])
                    @@ (websearch_to_tsquery('simple', 'pond')
                        && format('%L', '0190163d-8694-739b-aea5-966c26f8ad91'::uuid)::tsquery)";
    let lines: Vec<_> = sqlx::raw_sql(plan).fetch_all(world.pool()).await.unwrap();
    let lines: Vec<String> = lines.iter().map(|line| sqlx::Row::get(line, 0)).collect();
    assert!(lines.iter().any(|line| line.contains("message_search")), "{lines:?}");
    world.close().await;
}
