//! From the log to the queue.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::ports::{Job, JobQueue};
use slipstream_commands::{Dispatcher, finish_generation};
use slipstream_domain::{Seq, TerminalStatus};
use slipstream_local::InProcessQueue;
use tokio::time::timeout;

use crate::world::{World, ending};

fn dispatch(world: &World) -> Arc<InProcessQueue> {
    let queue = Arc::new(InProcessQueue::new());
    let dispatcher = Dispatcher::new(world.app.clone(), queue.clone());
    world.tasks.spawn(dispatcher.run(world.drain.clone()));
    queue
}

async fn next(queue: &InProcessQueue) -> Job {
    let delivery = timeout(Duration::from_secs(10), queue.next()).await.expect("no job").unwrap();
    let job = delivery.job();
    delivery.ack().await.unwrap();
    job
}

#[tokio::test]
async fn every_request_becomes_a_job_once() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let before = world.chat(ann).await.generation_id;
    let queue = dispatch(&world);
    assert_eq!(next(&queue).await, Job { generation: before, attempt: 0 });
    let mut wanted = HashSet::new();
    for _ in 0..20 {
        wanted.insert(world.chat(ann).await.generation_id);
    }
    let mut found = HashSet::new();
    for _ in 0..20 {
        found.insert(next(&queue).await.generation);
    }
    assert_eq!(found, wanted);
    assert!(timeout(Duration::from_millis(200), queue.next()).await.is_err(), "a job too many");
}

#[tokio::test]
async fn what_no_worker_took_before_a_restart_is_published_again_and_what_one_took_just_now_is_not() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let waiting = world.chat(ann).await.generation_id;
    let taken = world.chat(ann).await.generation_id;
    world.open(taken).await;
    let queue = dispatch(&world.another());
    assert_eq!(next(&queue).await.generation, waiting);
    assert!(timeout(Duration::from_millis(200), queue.next()).await.is_err(), "a job too many");
}

#[tokio::test]
async fn what_a_worker_took_and_is_silent_for_half_a_minute_is_published_again_until_it_is_over() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let lost = world.chat(ann).await.generation_id;
    let mut own = world.open(lost).await;
    world.produce(&mut own, "half an ", 0).await;
    let over = world.chat(ann).await.generation_id;
    let mut ended = world.open(over).await;
    finish_generation(&world.app, &mut ended, ending(TerminalStatus::Failed, Seq::START)).await.unwrap();
    let later = world.another();
    later.clock.put_forward(Duration::from_secs(30));
    let queue = dispatch(&later);
    assert_eq!(next(&queue).await, Job { generation: lost, attempt: 0 });
    assert!(timeout(Duration::from_millis(200), queue.next()).await.is_err(), "a job too many");
}
